//! One reader of YAML for price books, configuration and report definitions.
//!
//! It walks the document instead of deserialising it, because a person who mends a file wants *every*
//! problem at once, each with file, line, column and the place in the document. Unknown and repeated keys
//! are refused, and numbers stay the text that was written: `0.10` never passes through a float.
//!
//! A reader is a function from a [`Value`] to a result. The error [`Refused`] says that the problem is
//! already recorded, so the rule of the house is: ask a [`Mapping`] for all its keys, call
//! [`Mapping::finish`], and only then use `?`. Then nothing hides behind the first mistake.
//!
//! ```
//! use std::time::Duration;
//! use defray_pricing::problem::Refused;
//! use defray_pricing::yaml::{Document, Value};
//!
//! #[derive(Debug)]
//! struct Config { name: String, settle: Duration, http: Http, labels: Vec<String> }
//! #[derive(Debug)]
//! struct Http { port: u16, tls: Option<bool> }
//!
//! fn config(value: &Value<'_>) -> Result<Config, Refused> {
//!     let mut keys = value.mapping()?;
//!     let name = keys.required("name", Value::string);
//!     let settle = keys.with_default("settle", Duration::from_secs(300), |v| {
//!         v.duration(Duration::ZERO..=Duration::from_secs(3600))
//!     });
//!     let http = keys.section("http", http); // absent: read as if it were `{}`
//!     let labels = keys.with_default("labels", Vec::new(), |v| v.list(Value::string));
//!     keys.finish();
//!     Ok(Config { name: name?, settle: settle?, http: http?, labels: labels? })
//! }
//!
//! fn http(value: &Value<'_>) -> Result<Http, Refused> {
//!     let mut keys = value.mapping()?;
//!     let port = keys.with_default("port", 8080, |v| v.whole_number(1..=u16::MAX));
//!     let tls = keys.optional("tls", Value::boolean);
//!     keys.finish();
//!     Ok(Http { port: port?, tls: tls? })
//! }
//!
//! let good = Document::parse("defray.yaml", "name: bank\nhttp: {port: 9000}").unwrap();
//! assert_eq!(good.read(config).unwrap().http.port, 9000);
//!
//! let bad = Document::parse("defray.yaml", "settle: soon\nhttp:\n  prot: 9000\n").unwrap();
//! let problems: Vec<String> = bad.read(config).unwrap_err().iter().map(ToString::to_string).collect();
//! assert_eq!(problems, [
//!     "defray.yaml:1:1: `name` is missing",
//!     "defray.yaml:1:9: settle: `soon` is not a duration (write a whole number and a unit: 30s, 5m, 2h, 7d)",
//!     "defray.yaml:3:3: http: unknown key `prot` (did you mean `port`? known keys: port, tls)",
//! ]);
//! ```

mod document;
mod mapping;
mod scalar;
mod suggest;
#[cfg(test)]
mod tests;
mod tree;
mod value;

pub use document::Document;
pub use mapping::Mapping;
pub use suggest::nearest;
pub use value::{Key, Value};
