//! Where people and programs read.

use std::net::SocketAddr;

use defray_pricing::problem::Refused;
use defray_pricing::yaml::Value;

use super::page::Page;
use super::place::Place;
use super::secret::{self, Secret, TOKEN};

/// Where people and programs read.
#[derive(Debug, Clone)]
pub struct Http {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// What a reader must show; none only on the loopback interface.
    pub token: Option<Secret>,
}

const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

pub(super) fn read(value: &Value<'_>, place: &Place<'_>) -> Result<Http, Refused> {
    let mut keys = value.mapping()?;
    let wants_token = !keys.has(TOKEN.file) && !keys.has(TOKEN.env);
    let token = secret::optional(&mut keys, TOKEN, place);
    let listen = keys.with_default("listen", DEFAULT, |value| {
        let listen: SocketAddr =
            value.parse_with("write an address and a port, such as 0.0.0.0:8080", str::parse)?;
        if wants_token && !listen.ip().is_loopback() {
            return Err(value.refuse(
                format!("anybody who reaches {listen} could read every cost"),
                "give readers a token with `token_file` or `token_env`, or listen on 127.0.0.1",
            ));
        }
        Ok(listen)
    });
    keys.finish();
    Ok(Http { listen: listen?, token: token? })
}

impl Http {
    pub(super) fn print(&self, page: &mut Page) {
        page.section("http", "Where people and programs read.", |page| {
            page.key(
                "listen",
                &self.listen.to_string(),
                "The address and port. Beyond this machine only with a token.",
            );
            secret::print(
                self.token.as_ref(),
                TOKEN,
                "A file that holds the token a reader must show (`Authorization: Bearer …`).",
                page,
            );
        });
    }
}
