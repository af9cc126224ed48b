//! One reader of YAML for price books, configuration and report definitions: every problem at once, each
//! with file, line and column; unknown keys refused; numbers kept as the text that was written.
