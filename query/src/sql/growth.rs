//! The scalar functions that queries may call, and how much each makes of its arguments at most.
//!
//! The memory pool does not see what functions make. So each function here has an upper bound that is
//! cheap to tell from its arguments, and [`super::bounded`] refuses a call whose bound is too high
//! before it is made. A function of no known bound is not there at all: among them are those that make
//! values of any size out of small ones (`repeat`, `lpad`, `range`, `array_resize` …) and those that
//! take the square of their arguments' time (`levenshtein`, `array_has_any` …).

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use super::sizes::{self, Size};
use super::texts::Texts;

mod replace;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// A number, a time, a few letters: as many bytes a row as [`SMALL`] at most.
    Small,
    /// A part of the first argument.
    Part,
    /// All arguments together, so many times. Letters of another case may take three times as much,
    /// but not again when it is changed back, and are not counted for that.
    Sum(usize),
    /// All arguments together, the first between each two of the others.
    Separated,
    /// `replace`.
    Replaced,
    /// `regexp_replace`.
    PatternReplaced,
    /// A part of the first argument for each group of the pattern.
    Groups,
    /// `array_to_string`: every value as text, with the separator or the text for null.
    Listed,
}

/// Longest text of a number, a time or a version.
const SMALL: usize = 64;

impl Growth {
    /// Of the function of that name; None: it must not be called.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "abs" | "acos" | "acosh" | "asin" | "asinh" | "atan" | "atan2" | "atanh" | "cbrt" | "ceil" | "cos"
            | "cosh" | "cot" | "degrees" | "exp" | "factorial" | "floor" | "gcd" | "isnan" | "iszero" | "lcm"
            | "ln" | "log" | "log2" | "log10" | "nanvl" | "pi" | "power" | "radians" | "random" | "round"
            | "signum" | "sin" | "sinh" | "sqrt" | "tan" | "tanh" | "trunc" => Self::Small,
            "current_date"
            | "current_time"
            | "date_bin"
            | "date_part"
            | "date_trunc"
            | "from_unixtime"
            | "make_date"
            | "make_time"
            | "now"
            | "to_date"
            | "to_local_time"
            | "to_time"
            | "to_timestamp"
            | "to_timestamp_seconds"
            | "to_timestamp_millis"
            | "to_timestamp_micros"
            | "to_timestamp_nanos"
            | "to_unixtime" => Self::Small,
            "ascii" | "bit_length" | "character_length" | "chr" | "contains" | "ends_with" | "find_in_set"
            | "octet_length" | "regexp_count" | "regexp_instr" | "regexp_like" | "starts_with" | "strpos"
            | "to_hex" | "uuid" | "version" | "arrow_typeof" => Self::Small,
            "array_dims" | "array_has" | "array_length" | "array_max" | "array_min" | "array_ndims"
            | "array_position" | "cardinality" | "empty" => Self::Small,
            "btrim" | "left" | "ltrim" | "reverse" | "right" | "rtrim" | "split_part" | "substr" | "substr_index"
            | "attr" | "unhex" | "get_field" | "array_any_value" | "array_compact" | "array_element"
            | "array_pop_back" | "array_pop_front" | "array_remove" | "array_remove_all" | "array_remove_n"
            | "array_reverse" | "array_slice" | "array_sort" | "flatten" => Self::Part,
            "concat"
            | super::concat::NAME
            | "coalesce"
            | "greatest"
            | "least"
            | "nullif"
            | "nvl"
            | "nvl2"
            | "initcap"
            | "lower"
            | "upper"
            | "overlay"
            | "named_struct"
            | "struct" => Self::Sum(1),
            "make_array" | "array_append" | "array_concat" | "array_prepend" | "hex" => Self::Sum(2),
            // one letter may become one of four bytes
            "translate" => Self::Sum(4),
            // a value of one byte may take an offset, or be written out to be compared
            "string_to_array" | "array_distinct" | "array_except" | "array_intersect" | "array_positions"
            | "array_union" => Self::Sum(16),
            // two letters of the form become a time in words
            "to_char" => Self::Sum(20),
            "concat_ws" => Self::Separated,
            "replace" => Self::Replaced,
            "regexp_replace" => Self::PatternReplaced,
            "regexp_match" => Self::Groups,
            "array_to_string" => Self::Listed,
            _ => return None,
        })
    }

    /// Most bytes of the result; where counting all is dear, counting stops when it is over `enough`.
    pub(super) fn most(self, args: &ScalarFunctionArgs, enough: usize) -> Result<usize> {
        let rows = args.number_rows;
        let of = |value: &ColumnarValue| sizes::columnar(value, rows);
        let all =
            || args.args.iter().map(of).try_fold(0usize, |sum, bytes| bytes.map(|bytes| sum.saturating_add(bytes)));
        let first = || args.args.first().map_or(Ok(0), of);
        Ok(match self {
            Self::Small => SMALL.saturating_mul(rows),
            // An array is there already, and so would its parts be.
            Self::Part => match args.args.first() {
                Some(ColumnarValue::Scalar(_)) => first()?,
                _ => 0,
            },
            Self::Sum(times) => all()?.saturating_mul(times),
            Self::Separated => all()?.saturating_add(first()?.saturating_mul(args.args.len().saturating_sub(2))),
            Self::Replaced => replace::most(args, enough)?,
            Self::PatternReplaced => replace::most_of_pattern(args, enough)?,
            Self::Groups => first()?.saturating_mul(1 + groups(args)?),
            Self::Listed => listed(args)?,
        })
    }
}

/// Most groups of a pattern.
fn groups(args: &ScalarFunctionArgs) -> Result<usize> {
    let Some(patterns) = args.args.get(1) else { return exec_err!("a pattern is needed") };
    let patterns = Texts::of(patterns)?;
    Ok(patterns.each().map(|pattern| pattern.matches('(').count()).max().unwrap_or(0))
}

fn listed(args: &ScalarFunctionArgs) -> Result<usize> {
    let [list, rest @ ..] = &args.args[..] else { return exec_err!("a list is needed") };
    let (bytes, values) = match list {
        ColumnarValue::Array(list) => (sizes::array(list, Size::Written), sizes::leaves(list)),
        ColumnarValue::Scalar(same) => {
            let values = sizes::leaves(&same.to_array()?).saturating_mul(args.number_rows);
            (sizes::columnar(list, args.number_rows)?, values)
        }
    };
    let longest =
        |text: &ColumnarValue| -> Result<usize> { Ok(Texts::of(text)?.each().map(str::len).max().unwrap_or(0)) };
    let between = rest.iter().map(longest).sum::<Result<usize>>()?;
    Ok(values.saturating_mul(SMALL + between).saturating_add(bytes))
}
