//! Every metric declared once, its doc comment is its help text; logging.
