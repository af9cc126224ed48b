//! What can go wrong between us and an API server, told apart by what a person does about it.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use crate::chain::chain;
use crate::collect::Finding;

/// Why nothing could be read from a cluster.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// The way in is not described well enough to try it.
    #[error("cannot tell how to reach the Kubernetes API: {reason}")]
    Access {
        /// What is missing or wrong.
        reason: String,
    },
    /// Nobody answers.
    #[error("the Kubernetes API at {url} cannot be reached: {reason}")]
    Unreachable {
        /// Where it was expected.
        url: String,
        /// What happened.
        reason: String,
    },
    /// Somebody answers, but not with a certificate we trust.
    #[error("the Kubernetes API at {url} cannot be trusted: {reason}")]
    Untrusted {
        /// Where it was expected.
        url: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The server does not know who we are.
    #[error("the Kubernetes API at {url} does not accept our credentials (401): {reason}")]
    Unauthorised {
        /// Where.
        url: String,
        /// What it said.
        reason: String,
    },
    /// What answers does not speak the Kubernetes API.
    #[error("what answers at {url} is not a Kubernetes API: {reason}")]
    NotKubernetes {
        /// Where.
        url: String,
        /// What it said instead.
        reason: String,
    },
    /// It is a Kubernetes API, but of another cluster than the configuration means.
    #[error("{url} is another cluster: its kube-system namespace has the uid {found}, not {expected}")]
    AnotherCluster {
        /// Where.
        url: String,
        /// The uid the configuration names.
        expected: String,
        /// The uid found.
        found: String,
    },
    /// Namespaces were listed to the end, and the one that every cluster has is not among them.
    #[error("{url} has no kube-system namespace: it is not the API of a whole cluster")]
    NoKubeSystem {
        /// Where.
        url: String,
    },
    /// A list began and did not come to its end in time.
    #[error("listing {what} at {url} took longer than {}s", after.as_secs())]
    TooSlow {
        /// Where.
        url: String,
        /// What was listed.
        what: String,
        /// The limit.
        after: Duration,
    },
    /// A list did not hold together, several times in a row; a part of one is never taken for the whole.
    #[error("listing {what} at {url} gave no complete answer: {reason}")]
    Incomplete {
        /// Where.
        url: String,
        /// What was listed.
        what: String,
        /// What did not add up.
        reason: String,
    },
    /// The API refused what was asked.
    #[error("{}: {}", .0.subject, .0.message)]
    Refused(Box<Finding>),
}

impl KubernetesError {
    /// What a person does about it.
    pub fn mend(&self) -> String {
        match self {
            Self::Refused(finding) => return finding.mend.clone().unwrap_or_default(),
            Self::Access { .. } => {
                "name a kubeconfig file (and its context) in the cluster's configuration, or run as a pod with \
                 a service account"
            }
            Self::Unreachable { .. } => {
                "check that the API server runs, that the address is right, and that firewalls and network \
                 policies let us through"
            }
            Self::Untrusted { .. } => {
                "give the certificate authority of the API server in the kubeconfig \
                 (certificate-authority), and use a host name or address that its certificate names"
            }
            Self::Unauthorised { .. } => {
                "renew the token or client certificate in the kubeconfig, or mount the service account's token"
            }
            Self::NotKubernetes { .. } => {
                "check the server's address in the kubeconfig: a proxy or another service answers there"
            }
            Self::AnotherCluster { .. } => {
                "use the right kubeconfig context; if the cluster was built anew, give it another name in the \
                 configuration and drop its cluster_uid"
            }
            Self::NoKubeSystem { .. } => {
                "check the server's address in the kubeconfig: an API that was just set up, restored empty or \
                 filtered answers there; nothing is taken to have ended meanwhile"
            }
            Self::TooSlow { .. } | Self::Incomplete { .. } => {
                "it is tried again by itself; if it stays so, look at the API server's load and at its logs"
            }
        }
        .to_string()
    }

    /// Whether the way in may be another one by now: credentials and addresses are renewed. What the API refuses,
    /// or is too slow to say, it is over a new connection too.
    pub const fn calls_for_a_new_connection(&self) -> bool {
        match self {
            Self::Access { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Unauthorised { .. }
            | Self::NotKubernetes { .. }
            | Self::AnotherCluster { .. }
            | Self::NoKubeSystem { .. } => true,
            Self::TooSlow { .. } | Self::Incomplete { .. } | Self::Refused(_) => false,
        }
    }

    /// As one of the findings of a check.
    pub fn finding(&self, subject: impl Into<String>) -> Finding {
        Finding::wrong(subject, self.to_string(), self.mend())
    }

    /// What a failed request says about the connection; none where the API itself answered.
    pub(super) fn of_connection(url: &str, error: &kube::Error) -> Option<Self> {
        let url = url.to_string();
        let reason = chain(error);
        match error {
            kube::Error::Api(status) if status.code == 401 => {
                Some(Self::Unauthorised { url, reason: status.message.clone() })
            }
            kube::Error::Api(status) if speaks_kubernetes(status) => None,
            kube::Error::Api(_) | kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
                Some(Self::NotKubernetes { url, reason })
            }
            kube::Error::Auth(_) | kube::Error::InferConfig(_) | kube::Error::InferKubeconfig(_) => {
                Some(Self::Access { reason })
            }
            other if about_certificates(other) => Some(Self::Untrusted { url, reason }),
            _ => Some(Self::Unreachable { url, reason }),
        }
    }
}

/// Whether an error answer is Kubernetes' own, rather than made by the client of a page it could not read.
fn speaks_kubernetes(status: &kube::core::Status) -> bool {
    status.reason != "Failed to parse error data"
}

fn about_certificates(error: &(dyn StdError + 'static)) -> bool {
    if error.is::<rustls::Error>() || error.is::<kube::client::RustlsTlsError>() {
        return true;
    }
    // What an IO error wraps is not among its sources.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.is_some_and(|wrapped| about_certificates(wrapped))
        || error.source().is_some_and(about_certificates)
}
