//! What a destination may be.

use defray::push::SigningSecret;
use defray::push::webhook::{Settings, SettingsError, Token, Webhook};

fn checked(url: &str) -> Result<Webhook, SettingsError> {
    Webhook::new(&Settings::new("finops", url.parse().unwrap()))
}

#[test]
fn costs_and_tokens_do_not_cross_a_network_in_the_clear() {
    for url in
        ["https://finops.example/in", "http://127.0.0.1:8080/in", "http://[::1]/in", "http://localhost/in"]
    {
        checked(url).unwrap();
    }
    for url in ["http://finops.example/in", "http://10.0.0.1/in", "ftp://finops.example/in"] {
        assert!(matches!(checked(url), Err(SettingsError::Plain { .. })), "{url}");
    }
    let mut mesh = Settings::new("finops", "http://finops.mesh/in".parse().unwrap());
    mesh.plain_http = true;
    Webhook::new(&mesh).unwrap();
}

#[test]
fn addresses_that_hand_out_credentials_are_refused() {
    for url in [
        "https://169.254.169.254/latest",
        "https://[fe80::1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://[fd00:ec2::254]/x",
        "https://2852039166/decimal",
    ] {
        assert!(matches!(checked(url), Err(SettingsError::Forbidden { .. })), "{url}");
    }
}

#[test]
fn secrets_stand_neither_in_addresses_nor_in_what_is_shown() {
    let error = checked("https://user:canary@finops.example/in").unwrap_err();
    assert!(matches!(error, SettingsError::Credentials { .. }));
    assert!(!error.to_string().contains("canary"));
    let mut settings = Settings::new("finops", "https://finops.example/in?key=canary".parse().unwrap());
    settings.token = Some(Token::Fixed("canary".to_owned().into()));
    settings.signing = vec![SigningSecret::parse("whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5").unwrap()];
    let shown = Webhook::new(&settings).unwrap();
    assert_eq!(shown.endpoint(), "https://finops.example/in");
    let debug = format!("{:?} {:?}", settings.token, settings.signing);
    assert!(!debug.contains("canary"), "{debug}");
}
