//! The run drawn to a file: what was offered and what came of it, the waiting times, and the breaker, over time.

mod panel;

use crate::demo::record::Record;
use plotters::drawing::IntoDrawingArea;
use plotters::prelude::{RGBColor, SVGBackend, WHITE};
use std::fmt;
use std::path::Path;

/// Width of a drawing with one pass, and of one with both, in pixels.
const WIDTHS: (u32, u32) = (900, 1240);
const HEIGHT: u32 = 620;

const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const FAINT: RGBColor = RGBColor(0x6e, 0x77, 0x81);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);
const OFFERED: RGBColor = RGBColor(0x8c, 0x95, 0x9f);
const ANSWERED: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
const REJECTED: RGBColor = RGBColor(0xd4, 0x8a, 0x00);
const FAILED: RGBColor = RGBColor(0xcf, 0x22, 0x2e);
const P50: RGBColor = RGBColor(0x54, 0xae, 0xff);
const P99: RGBColor = RGBColor(0x09, 0x50, 0xae);

/// Why nothing was drawn.
#[derive(Debug)]
pub(crate) struct DrawError(String);

impl fmt::Display for DrawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::error::Error for DrawError {}

impl DrawError {
    fn from(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Draws the passes side by side to a file.
pub(crate) fn to_file(
    path: &Path,
    protected: &Record,
    unprotected: Option<&Record>,
) -> Result<(), DrawError> {
    std::fs::write(path, to_text(protected, unprotected)?).map_err(DrawError::from)
}

/// The drawing as text.
fn to_text(protected: &Record, unprotected: Option<&Record>) -> Result<String, DrawError> {
    let mut text = String::new();
    let width = if unprotected.is_some() { WIDTHS.1 } else { WIDTHS.0 };
    {
        let root = SVGBackend::with_string(&mut text, (width, HEIGHT)).into_drawing_area();
        root.fill(&WHITE).map_err(DrawError::from)?;
        let root = root.margin(10, 10, 10, 10);
        let top = unprotected.map_or(0.0, panel::top).max(panel::top(protected));
        match unprotected {
            None => panel::draw(&root, protected, "Seawall on", top)?,
            Some(unprotected) => {
                let (left, right) = root.split_horizontally(root.dim_in_pixel().0 / 2);
                panel::draw(&left, protected, "Seawall on", top)?;
                panel::draw(&right, unprotected, "Seawall off", top)?;
            }
        }
        root.present().map_err(DrawError::from)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
