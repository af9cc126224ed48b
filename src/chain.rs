//! An error and its causes in one line: some libraries' own text only says that something failed.

/// An error with its causes, from the outside in. Some libraries' text holds that of its cause: each is said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        next = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn what_an_error_says_of_its_cause_is_not_said_again() {
        let cause = Said("refused", None);
        let middle = Said("connecting: refused", Some(Box::new(cause)));
        let outer = Said("nobody answers", Some(Box::new(middle)));
        assert_eq!(chain(&outer), "nobody answers: connecting: refused");
    }
}
