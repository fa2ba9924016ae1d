//! Functions for people: ids as hex text, and one attribute out of a column of them.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, DictionaryArray, StringArray};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use storage::attrs;

pub(super) fn all() -> [Arc<ScalarUDF>; 3] {
    [Arc::new(Hex::new().into()), Arc::new(Unhex::new().into()), Arc::new(Attr::new().into())]
}

/// `hex(bytes)`: lower-case digits, as ids are written elsewhere.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Hex(Signature);

impl Hex {
    fn new() -> Self {
        Self(Signature::any(1, Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Hex {
    fn name(&self) -> &str {
        "hex"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [of] if of.is_binary() || of.is_null() => Ok(DataType::Utf8),
            _ => plan_err!("hex takes bytes, such as trace_id"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = cast(&only(&args)?, &DataType::Binary)?;
        let hex: StringArray = bytes.as_binary::<i32>().iter().map(|bytes| bytes.map(hex::encode)).collect();
        result(&args, Arc::new(hex))
    }
}

/// `unhex(text)`: bytes, or null where the text is not hex.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Unhex(Signature);

impl Unhex {
    fn new() -> Self {
        Self(Signature::any(1, Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Unhex {
    fn name(&self) -> &str {
        "unhex"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [of] if is_text(of) => Ok(DataType::Binary),
            _ => plan_err!("unhex takes text"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = cast(&only(&args)?, &DataType::Utf8)?;
        let bytes = text.as_string::<i32>().iter().map(|text| text.and_then(|text| hex::decode(text).ok()));
        let bytes: Vec<Option<Vec<u8>>> = bytes.collect();
        result(&args, Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>()))
    }
}

/// `attr(attributes, 'key')`: the attribute as text, null where there is none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Attr(Signature);

impl Attr {
    fn new() -> Self {
        Self(Signature::any(2, Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Attr {
    fn name(&self) -> &str {
        "attr"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [of, key] if is_text(of) && is_text(key) => Ok(DataType::Utf8),
            _ => plan_err!(
                "attr takes a column of attributes and the name of one, as in attr(attributes, 'http.method')"
            ),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [of, key] = &args.args[..] else { return exec_err!("attr takes two arguments") };
        let of = of.to_array(args.number_rows)?;
        let found = match key {
            ColumnarValue::Scalar(key) => {
                let key = match key {
                    datafusion::common::ScalarValue::Dictionary(_, key) => key,
                    key => key,
                };
                match key.try_as_str().flatten() {
                    Some(key) => each_distinct(&of, |object| text_of(object, key))?,
                    None => Arc::new(StringArray::new_null(of.len())),
                }
            }
            ColumnarValue::Array(keys) => {
                let (of, keys) = (cast(&of, &DataType::Utf8)?, cast(keys, &DataType::Utf8)?);
                let pairs = of.as_string::<i32>().iter().zip(keys.as_string::<i32>().iter());
                Arc::new(pairs.map(|(object, key)| text_of(object?, key?)).collect::<StringArray>()) as ArrayRef
            }
        };
        result(&args, found)
    }
}

/// The attribute as text; null where it is missing or empty.
fn text_of(object: &str, key: &str) -> Option<String> {
    attrs::find(object, key).filter(|raw| *raw != "null").map(|raw| attrs::text_of(raw).into_owned())
}

/// Applies `read` to each row's text; where there is a dictionary, once per value of it.
fn each_distinct(texts: &ArrayRef, read: impl Fn(&str) -> Option<String>) -> Result<ArrayRef> {
    let read_all = |texts: &ArrayRef| -> Result<StringArray> {
        let texts = cast(texts, &DataType::Utf8)?;
        Ok(texts.as_string::<i32>().iter().map(|text| text.and_then(&read)).collect())
    };
    match texts.as_dictionary_opt::<Int32Type>() {
        Some(encoded) => {
            let encoded: &DictionaryArray<Int32Type> = encoded;
            Ok(take(&read_all(encoded.values())?, encoded.keys(), None)?)
        }
        None => Ok(Arc::new(read_all(texts)?)),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_string() || other.is_null(),
    }
}

fn only(args: &ScalarFunctionArgs) -> Result<ArrayRef> {
    match &args.args[..] {
        [only] => only.to_array(args.number_rows),
        _ => exec_err!("one argument is needed"),
    }
}

/// A constant of constants, so that the planner can use it.
fn result(args: &ScalarFunctionArgs, array: ArrayRef) -> Result<ColumnarValue> {
    let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    match constant && !array.is_empty() {
        true => Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&array, 0)?)),
        false => Ok(ColumnarValue::Array(array)),
    }
}
