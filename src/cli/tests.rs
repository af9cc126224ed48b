//! The command line is well formed, and shows how it is used.

use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example() {
    for command in Cli::command().get_subcommands_mut() {
        let name = command.get_name().to_owned();
        let help = command.render_long_help().to_string();
        assert!(help.contains(&format!("\n  defray {name}")), "{help}");
        for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
            let inner = below.get_name().to_owned();
            let help = below.render_long_help().to_string();
            assert!(help.contains(&format!("\n  defray {name} {inner}")), "{help}");
        }
    }
}

#[test]
fn a_report_needs_exactly_one_source() {
    let parse = |args: &[&str]| {
        let base = ["defray", "report", "--period", "2026-10"];
        Cli::try_parse_from(base.iter().chain(args)).map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(parse(&["--data", "d"]), Ok(()));
    assert_eq!(parse(&[]), Err(clap::error::ErrorKind::MissingRequiredArgument));
    assert_eq!(parse(&["--data", "d", "--config", "c"]), Err(clap::error::ErrorKind::ArgumentConflict));
}
