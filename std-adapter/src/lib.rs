//! Seawall for servers.
