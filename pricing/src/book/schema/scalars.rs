//! Single values. What looks like a number may be written as one: the reader takes the text as it stands.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! scalars {
    ($($(#[doc = $doc:literal])* $name:ident: $schema:tt;)*) => {$(
        $(#[doc = $doc])*
        pub(super) struct $name {
            _text: String,
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!($schema);
                schema.insert("description".to_owned(), concat!($($doc),*).trim().into());
                schema
            }
        }
    )*};
}

scalars! {
    /// An ISO 4217 code: EUR, USD, JPY, …
    Currency: {"type": "string", "pattern": "^[A-Z]{3}$"};
    /// A local date (2026-10-01), a local time (2026-10-01T06:00) or a time with an offset.
    Moment: {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}([T ]\\d{2}:\\d{2}.*)?$"};
    /// A local date such as 2026-10-14.
    Date: {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$"};
    /// A month such as 2026-10.
    Month: {"type": "string", "pattern": "^\\d{4}-(0[1-9]|1[0-2])$"};
    /// Units for one unit of the book's currency: above zero, at most nine digits after the point.
    Rate: {"anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": "^0*\\d{1,9}(\\.\\d{0,9}0*)?$"},
    ]};
    /// A price or an amount: zero or more, at most nine digits after the point, in quotes or not.
    Price: {"anyOf": [
        {"type": "number", "minimum": 0, "exclusiveMaximum": 1_000_000_000_000_u64},
        {"type": "string", "pattern": "^0*\\d{1,12}(\\.\\d{0,9}0*)?$"},
    ]};
    /// An amount in whole minor units (cents), less than zero for a credit, in quotes or not.
    Signed: {"anyOf": [
        {"type": "number", "not": {"const": 0}},
        {"type": "string", "pattern": "^-?0*\\d{1,12}(\\.\\d{0,4}0*)?$"},
    ]};
    /// An amount in whole minor units (cents), above zero, in quotes or not.
    Budgeted: {"anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1_000_000_000_000_u64},
        {"type": "string", "pattern": "^0*\\d{1,12}(\\.\\d{0,4}0*)?$"},
    ]};
    /// What something is worth compared to the others: zero or more, at most nine digits after the point.
    Weight: {"anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": "^0*\\d{1,11}(\\.\\d{0,9}0*)?$"},
    ]};
    /// A quantity above zero, at most six digits after the point.
    Threshold: {"anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": "^0*\\d{1,13}(\\.\\d{0,6}0*)?$"},
    ]};
    /// A percentage from 0 to 100, such as "12.5%".
    Discount: {"type": "string", "pattern": "^0*(100(\\.0*)?|\\d{1,2}(\\.\\d{0,7}0*)?)\\s*%$"};
    /// A percentage from 0 to 1000, such as "5%".
    Markup: {"type": "string", "pattern": "^0*(1000(\\.0*)?|\\d{1,3}(\\.\\d{0,7}0*)?)\\s*%$"};
    /// A name: not empty, without white space around it, and not one of the reserved ones (`__…__`).
    Name: {"type": ["string", "number", "boolean"], "pattern": "^(?!__)\\S(.*\\S)?$"};
    /// The name of a cluster, and no glob.
    ClusterName: {"type": ["string", "number", "boolean"], "pattern": "^(?!__)[^\\s*]([^*]*[^\\s*])?$"};
    /// Any text, not empty.
    Text: {"type": ["string", "number", "boolean"]};
    /// A name, or a glob in which `*` stands for any text.
    Glob: {"type": ["string", "number", "boolean"], "pattern": "^[^\\s?\\[\\]{}!]+$"};
    /// A name or a glob; "" matches only what has none.
    GlobOrNone: {"type": ["string", "number", "boolean"], "pattern": "^[^\\s?\\[\\]{}!]*$"};
}
