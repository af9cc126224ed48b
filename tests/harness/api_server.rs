//! A real Kubernetes API: etcd, kube-apiserver with RBAC, and the controller manager.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::process::{Server, folder, free_port};

const ADMIN_TOKEN: &str = "admin-of-the-bench";
const RESTRICTED_TOKEN: &str = "finops-of-the-bench";

/// The user behind [`Who::Restricted`], for role bindings.
pub(crate) const RESTRICTED_USER: &str = "finops";

/// Who a kubeconfig speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// May do anything.
    Admin,
    /// Known to the server, but granted nothing until a test grants it something.
    Restricted,
    /// A token that the server does not know.
    Stranger,
}

impl Who {
    const fn token(self) -> &'static str {
        match self {
            Self::Admin => ADMIN_TOKEN,
            Self::Restricted => RESTRICTED_TOKEN,
            Self::Stranger => "nobody-knows-me",
        }
    }
}

/// A running Kubernetes API with RBAC on and TLS that verifies.
#[derive(Debug)]
pub(crate) struct ApiServer {
    // Dropped in this order: those that need the others go first.
    _controller_manager: Server,
    _server: Server,
    _etcd: Server,
    url: String,
    certificate: PathBuf,
    client: reqwest::Client,
    folder: TempDir,
}

impl ApiServer {
    /// Starts a server that nobody else uses.
    pub(crate) async fn start() -> Self {
        let folder = folder();
        let (etcd, etcd_url) = start_etcd(folder.path()).await;
        let port = free_port();
        let url = format!("https://127.0.0.1:{port}");
        let mut server = start_server(folder.path(), &etcd_url, port);
        let certificate = folder.path().join("certs/apiserver.crt");
        server.ready(async || certificate.exists()).await;
        let client = client(&certificate);
        server
            .ready(async || {
                let asked = client.get(format!("{url}/readyz")).bearer_auth(ADMIN_TOKEN).send().await;
                asked.is_ok_and(|answer| answer.status().is_success())
            })
            .await;
        // It is ready a moment before it has made the namespaces that every cluster has.
        server
            .ready(async || {
                let path = format!("{url}/api/v1/namespaces/kube-system");
                let asked = client.get(path).bearer_auth(ADMIN_TOKEN).send().await;
                asked.is_ok_and(|answer| answer.status().is_success())
            })
            .await;
        let kubeconfig =
            write_kubeconfig(folder.path(), "controller-manager", &url, &certificate, Who::Admin);
        let controller_manager = start_controller_manager(folder.path(), &kubeconfig).await;
        Self {
            _controller_manager: controller_manager,
            _server: server,
            _etcd: etcd,
            url,
            certificate,
            client,
            folder,
        }
    }

    /// One server for all tests that keep to names of their own.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<ApiServer> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A kubeconfig for that user.
    pub(crate) fn kubeconfig(&self, who: Who) -> PathBuf {
        let name = format!("{who:?}").to_lowercase();
        write_kubeconfig(self.folder.path(), &name, &self.url, &self.certificate, who)
    }

    /// Asks as that user; the status and the body.
    pub(crate) async fn get(&self, who: Who, path: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(who.token());
        let answer = request.send().await.expect("the API server answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, path: &str) {
        let request = self.client.delete(format!("{}{path}", self.url)).bearer_auth(ADMIN_TOKEN);
        let answer = request.send().await.expect("the API server answers");
        assert!(answer.status().is_success(), "DELETE {path}: {}", answer.text().await.unwrap_or_default());
    }

    /// Applies every document of the text (server-side, as `kubectl apply --server-side` does), in its order.
    pub(crate) async fn apply(&self, yaml: &str) {
        for document in yaml.split("\n---") {
            let document = document.trim_start_matches('-');
            let parsed: Value = serde_saphyr::from_str(document).expect("YAML");
            if !parsed.is_null() {
                self.apply_one(document, &parsed).await;
            }
        }
    }

    async fn apply_one(&self, document: &str, parsed: &Value) {
        let text = |path: &str| parsed.pointer(path).and_then(Value::as_str);
        let version = text("/apiVersion").expect("apiVersion");
        let kind = text("/kind").expect("kind");
        let name = text("/metadata/name").expect("metadata.name");
        let namespace = text("/metadata/namespace").unwrap_or("default");
        let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let (plural, namespaced) = self.resource(&root, kind).await;
        let within = if namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        let path = format!("{root}{within}/{plural}/{name}");
        let request = self
            .client
            .patch(format!("{}{path}?fieldManager=bench&force=true", self.url))
            .bearer_auth(ADMIN_TOKEN)
            .header("content-type", "application/apply-patch+yaml")
            .body(document.to_owned());
        let answer = request.send().await.expect("the API server answers");
        let status = answer.status();
        let body = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "applying {path}: {status}: {body}");
    }

    /// The plural of a kind and whether it lives in namespaces; waits for a definition that was applied just now.
    async fn resource(&self, root: &str, kind: &str) -> (String, bool) {
        for _ in 0..200 {
            let (_, listed) = self.get(Who::Admin, root).await;
            let found = listed["resources"].as_array().into_iter().flatten().find(|resource| {
                resource["kind"] == kind && resource["name"].as_str().is_some_and(|name| !name.contains('/'))
            });
            if let Some(found) = found {
                let plural = found["name"].as_str().expect("a name").to_owned();
                return (plural, found["namespaced"] == true);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the API server serves no {kind} in {root}");
    }
}

async fn start_etcd(folder: &Path) -> (Server, String) {
    let (url, peer) =
        (format!("http://127.0.0.1:{}", free_port()), format!("http://127.0.0.1:{}", free_port()));
    let arguments = [
        "--name=bench".to_owned(),
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=bench={peer}"),
        "--unsafe-no-fsync".to_owned(),
        // Alone, so there is nobody to wait for at the election.
        "--heartbeat-interval=10".to_owned(),
        "--election-timeout=100".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    let mut etcd = Server::start("etcd", folder, &arguments);
    let health = format!("{url}/health");
    etcd.ready(async || super::answers(&health).await).await;
    (etcd, url)
}

fn start_server(folder: &Path, etcd: &str, port: u16) -> Server {
    let (private, public) = write_keys(folder);
    let tokens = folder.join("tokens.csv");
    let known = format!(
        "{ADMIN_TOKEN},admin,u-admin,\"system:masters\"\n{RESTRICTED_TOKEN},{RESTRICTED_USER},u-finops,\"bench:finops\"\n"
    );
    fs::write(&tokens, known).expect("a token file");
    let arguments = [
        format!("--etcd-servers={etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", folder.join("certs").display()),
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-signing-key-file={}", private.display()),
        format!("--service-account-key-file={}", public.display()),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", tokens.display()),
        // No controller makes service accounts here, and taints are what tests set themselves.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--enable-priority-and-fairness=false".to_owned(),
        "--profiling=false".to_owned(),
    ];
    Server::start("kube-apiserver", folder, &arguments)
}

async fn start_controller_manager(folder: &Path, kubeconfig: &Path) -> Server {
    let port = free_port();
    let arguments = [
        format!("--kubeconfig={}", kubeconfig.display()),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", folder.join("controller-manager").display()),
        "--leader-elect=false".to_owned(),
        // Quota status (kube_resourcequota comes from it), deletion of namespaces, binding of volumes.
        "--controllers=resourcequota-controller,namespace-controller,persistentvolume-binder-controller"
            .to_owned(),
        format!("--service-account-private-key-file={}", folder.join("service-accounts.key").display()),
    ];
    let mut server = Server::start("kube-controller-manager", folder, &arguments);
    let certificate = folder.join("controller-manager/kube-controller-manager.crt");
    server.ready(async || certificate.exists()).await;
    let client = client(&certificate);
    let health = format!("https://127.0.0.1:{port}/healthz");
    server.ready(async || client.get(&health).send().await.is_ok_and(|a| a.status().is_success())).await;
    server
}

/// A client that trusts this server's certificate and no other.
fn client(certificate: &Path) -> reqwest::Client {
    let pem = fs::read(certificate).expect("the server wrote its certificate");
    let trusted = reqwest::Certificate::from_pem_bundle(&pem).expect("a certificate");
    // No connection outlives its request: every test has a runtime of its own, and a shared server's
    // connections would die with the one that opened them.
    let builder = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    builder.tls_certs_only(trusted).build().expect("a client")
}

fn write_kubeconfig(folder: &Path, name: &str, url: &str, certificate: &Path, who: Who) -> PathBuf {
    let path = folder.join(format!("{name}.kubeconfig"));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: bench\n\
         clusters: [{{name: bench, cluster: {{server: \"{url}\", certificate-authority: \"{}\"}}}}]\n\
         users: [{{name: {name}, user: {{token: \"{}\"}}}}]\n\
         contexts: [{{name: bench, context: {{cluster: bench, user: {name}}}}}]\n",
        certificate.display(),
        who.token(),
    );
    fs::write(&path, text).expect("a kubeconfig");
    path
}

/// Writes a key pair for service account tokens, made for this run; the private and the public half.
fn write_keys(folder: &Path) -> (PathBuf, PathBuf) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let private = pair.to_pkcs8v1().expect("a key");
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("a key");
    let write = |name: &str, kind: &str, der: &[u8]| {
        let body = STANDARD.encode(der);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        let path = folder.join(name);
        fs::write(&path, format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n")))
            .expect("a key file");
        path
    };
    (
        write("service-accounts.key", "PRIVATE KEY", private.as_ref()),
        write("service-accounts.pub", "PUBLIC KEY", public.as_ref()),
    )
}
