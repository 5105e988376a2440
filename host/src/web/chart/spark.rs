//! A line as small as a word, for a cell of a table: the shape of a series, without axes.

use super::axes::{self, Scale};
use super::{Role, svg};
use maud::Markup;

/// Its size.
pub const SIZE: (u32, u32) = (120, 28);

/// Draws the values at even distances. `label` is what those hear who do not see it: say the last value.
/// Nothing for no values.
#[must_use]
pub fn spark(label: &str, role: Role, values: &[f64]) -> Markup {
    let (width, height) = super::whole(SIZE);
    let y = Scale::over(values.iter().copied(), height - 3, 3);
    let last = values.len().saturating_sub(1) as f64;
    let x = Scale::over([0.0, last.max(1.0)], 3, width - 3);
    let (Some(x), Some(y)) = (x, y) else {
        return super::nothing(label);
    };
    let points: Vec<(f64, f64)> = (0..).map(f64::from).zip(values.iter().copied()).collect();
    svg(SIZE, label, Markup::default(), |canvas| {
        for part in points.split(|p| !p.1.is_finite()) {
            let places = part.iter().map(|(at, v)| (x.at(*at), y.at(*v))).collect();
            axes::stroke(canvas, places, role, 2)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spark_is_one_line_with_a_name() {
        let drawn = spark("calls, now 3", Role::Honest, &[1.0, 2.0, 3.0]).into_string();
        assert_eq!(drawn.matches("<polyline").count(), 1, "{drawn}");
        assert!(drawn.contains("aria-label=\"calls, now 3\"") && !drawn.contains("<figure"));
        for values in [&[2.0][..], &[0.0, 0.0], &[f64::NAN, 1.0], &[-1e300, 1e300]] {
            let drawn = spark("a", Role::Loss, values).into_string();
            assert!(drawn.contains("<svg") && !drawn.contains("NaN"), "{drawn}");
        }
        assert!(
            spark("a", Role::Loss, &[])
                .into_string()
                .contains("nothing to draw")
        );
    }
}
