//! What exists and cannot be read, and saying so where its owner looks: on the object itself.

use std::fmt;

use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;
use defray_pricing::names::Uid;
use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;

use super::Collector;
use super::error::KubernetesError;
use crate::chain::chain;
use crate::collect::Finding;

/// Where Events on objects live that are in no namespace.
pub(super) const EVENTS_NAMESPACE: &str = "default";
/// The longest note that the API takes.
const LONGEST_NOTE: usize = 1024;
/// How much of an object's name an Event's begins with: the whole has to be a name, too.
const LONGEST_NAME: usize = 200;

/// An object that exists but cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, if it is in one.
    pub namespace: Option<String>,
    /// Its name; empty where it has none.
    pub name: String,
    /// Its uid, where it has one.
    pub uid: Option<Uid>,
    /// Which field, and why.
    pub reason: String,
}

impl Skipped {
    /// Its kind and name.
    pub fn resource(&self) -> String {
        let name = if self.name.is_empty() { "(without a name)" } else { &self.name };
        format!("{} {name}", self.kind)
    }

    /// One for each cause: its name is made of the object and of what is wrong with it.
    fn event(&self, at: DateTime<Utc>) -> Result<Event, String> {
        let cause = Digest::of_fields([
            self.uid.as_ref().map_or("", Uid::as_str).as_bytes(),
            self.resource().as_bytes(),
            self.reason.as_bytes(),
        ]);
        let begin: String = self.name.chars().take(LONGEST_NAME).collect();
        let begin = begin.trim_end_matches(['.', '-']);
        let cause: String = cause.to_string().chars().take(16).collect();
        let time = Timestamp::from_microsecond(at.timestamp_micros()).map_err(|error| error.to_string())?;
        let note = format!(
            "{}. The last version that could be read stays in force; what none was ever read of is charged to nobody. \
             Correct the field.",
            self.reason
        );
        Ok(Event {
            metadata: ObjectMeta {
                name: Some(format!("{begin}.{cause}")),
                namespace: Some(self.events_namespace().to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(time)),
            action: Some("Read".to_owned()),
            reason: Some("Malformed".to_owned()),
            note: Some(cut(&note, LONGEST_NOTE).to_owned()),
            type_: Some("Warning".to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some(self.api_version.clone()),
                kind: Some(self.kind.clone()),
                namespace: self.namespace.clone(),
                name: Some(self.name.clone()),
                uid: self.uid.as_ref().map(ToString::to_string),
                ..ObjectReference::default()
            }),
            reporting_controller: Some("defray".to_owned()),
            reporting_instance: Some("defray".to_owned()),
            ..Event::default()
        })
    }

    fn events_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(EVENTS_NAMESPACE)
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is skipped: {}", self.resource(), self.reason)
    }
}

/// The beginning of a text that has no more bytes than that, without half a character.
fn cut(text: &str, bytes: usize) -> &str {
    let end = text.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= bytes);
    &text[..end.last().unwrap_or(0)]
}

impl Collector {
    /// Says on an object that it cannot be read. The same cause again is the same Event: nothing is added.
    pub async fn report(&self, skipped: &Skipped, at: DateTime<Utc>) -> Result<(), Finding> {
        let namespace = skipped.events_namespace();
        let subject = subject();
        let event = skipped.event(at).map_err(|error| Finding::wrong(subject, error, ""))?;
        let api: Api<Event> = Api::namespaced(self.lists.clone(), namespace);
        match api.create(&PostParams::default(), &event).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                Err(Finding::wrong(subject, status.message.clone(), allow(namespace)))
            }
            Err(error) => Err(match KubernetesError::of_connection(&self.url, &error) {
                Some(broken) => broken.finding(subject),
                None => Finding::wrong(subject, chain(&error), "look at the API server's log"),
            }),
        }
    }

    /// Whether Events are wanted at all.
    pub fn reports(&self) -> bool {
        self.settings.events
    }
}

/// The permission in words.
pub(super) fn subject() -> &'static str {
    "Kubernetes: create events.events.k8s.io"
}

/// What must be allowed to say something on an object, as a question to the API.
pub(super) fn question() -> ResourceAttributes {
    ResourceAttributes {
        group: Some("events.k8s.io".to_owned()),
        resource: Some("events".to_owned()),
        verb: Some("create".to_owned()),
        namespace: Some(EVENTS_NAMESPACE.to_owned()),
        ..ResourceAttributes::default()
    }
}

/// What a role must say, or a configuration that can do without.
pub(super) fn allow(namespace: &str) -> String {
    format!(
        "bind deploy/rbac/events.yaml to the account in use, or allow it in the namespace {namespace}: \
         {{apiGroups: [\"events.k8s.io\"], resources: [\"events\"], verbs: [\"create\"]}}; or set `events: false` \
         in the cluster's kubernetes section"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(name: &str, reason: &str) -> Skipped {
        Skipped {
            api_version: "example.com/v1".to_owned(),
            kind: "Tenant".to_owned(),
            namespace: None,
            name: name.to_owned(),
            uid: Some(Uid::from("u")),
            reason: reason.to_owned(),
        }
    }

    fn named(skipped: &Skipped) -> String {
        let at = "2026-10-15T14:20:00Z".parse().unwrap();
        skipped.event(at).unwrap().metadata.name.unwrap()
    }

    #[test]
    fn one_cause_has_one_name_and_another_cause_another() {
        let first = skipped("a", "no team");
        assert_eq!(named(&first), named(&first.clone()));
        assert_ne!(named(&first), named(&skipped("a", "no cost centre")));
        let made_again = Skipped { uid: Some(Uid::from("v")), ..first.clone() };
        assert_ne!(named(&first), named(&made_again), "another object of the same name");
    }

    #[test]
    fn an_event_fits_however_long_its_object_and_its_reason_are() {
        let long = skipped(&"a.".repeat(126), &"ö".repeat(4000));
        assert!(named(&long).len() <= 253, "{}", named(&long));
        assert!(!named(&long).contains(".."), "{}", named(&long));
        let note = long.event("2026-10-15T14:20:00Z".parse().unwrap()).unwrap().note.unwrap();
        assert_eq!(note.len(), 1024);
        assert_eq!(cut("aö", 2), "a");
    }
}
