//! Seawall for firmware.
#![no_std]
