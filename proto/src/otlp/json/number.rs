//! Numbers as protobuf's JSON mapping writes them: as numbers or as strings.

use std::fmt;

use serde::de::{self, Visitor};

/// An integer between two bounds.
pub(super) struct Integer {
    pub(super) min: i128,
    pub(super) max: i128,
}

impl Integer {
    fn within<E: de::Error>(&self, value: i128) -> Result<i128, E> {
        if (self.min..=self.max).contains(&value) {
            Ok(value)
        } else {
            Err(E::custom(format_args!("{value} is not between {} and {}", self.min, self.max)))
        }
    }
}

impl Visitor<'_> for Integer {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer, as a number or a decimal string")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<i128, E> {
        self.within(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i128, E> {
        self.within(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<i128, E> {
        if value.fract() != 0.0 {
            return Err(E::custom(format_args!("{value} is not an integer")));
        }
        // Exact: every integral double is; what does not fit saturates and is out of bounds.
        self.within(value as i128)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i128, E> {
        if let Ok(value) = text.parse::<i128>() {
            return self.within(value);
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && is_numeric(text) => self.visit_f64(value),
            _ => Err(E::custom(format_args!("{text:?} is not an integer"))),
        }
    }
}

/// An enumeration: a number, or a name of the specification.
pub(super) struct Enumeration {
    pub(super) prefix: &'static str,
    pub(super) names: &'static [&'static str],
}

impl Enumeration {
    const NUMBER: Integer = Integer { min: i32::MIN as i128, max: i32::MAX as i128 };
}

impl Visitor<'_> for Enumeration {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number or a name {}…", self.prefix)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<i128, E> {
        Self::NUMBER.visit_i64(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i128, E> {
        Self::NUMBER.visit_u64(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<i128, E> {
        Self::NUMBER.visit_f64(value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i128, E> {
        let number = text.strip_prefix(self.prefix).and_then(|name| self.names.iter().position(|known| *known == name));
        match number {
            Some(number) => Ok(number as i128),
            None => Err(E::custom(format_args!("{text:?} is not a name {}…", self.prefix))),
        }
    }
}

/// A double: a number, `"NaN"`, `"Infinity"`, `"-Infinity"`, or a number in a string.
pub(super) struct Double;

impl Visitor<'_> for Double {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
    }

    fn visit_i64<E>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_f64<E>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
        match (text, text.parse::<f64>()) {
            ("NaN", _) => Ok(f64::NAN),
            ("Infinity", _) => Ok(f64::INFINITY),
            ("-Infinity", _) => Ok(f64::NEG_INFINITY),
            (_, Ok(value)) if value.is_finite() && is_numeric(text) => Ok(value),
            _ => Err(E::custom(format_args!("{text:?} is not a double"))),
        }
    }
}

/// Keeps out what Rust's parser reads beyond JSON's numbers, such as `inf`.
fn is_numeric(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
}
