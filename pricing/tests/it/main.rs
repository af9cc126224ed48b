//! The rules of money, seen from outside the crate.

// Only tests live here; saying so lets the lints for tests apply to their helpers.
#[cfg(test)]
mod astray;
#[cfg(test)]
mod charges;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod diffs;
#[cfg(test)]
mod estimates;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "naive on purpose; a test that overflows fails")]
mod explanations;
#[cfg(test)]
mod fixture;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "days of one month, by hand")]
mod forecast;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "hours of one day, by hand")]
mod frozen;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod fuzz;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "naive on purpose; a test that overflows fails")]
mod histories;
#[cfg(test)]
mod months;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "naive on purpose; a test that overflows fails")]
mod oracle;
#[cfg(test)]
mod ownership;
#[cfg(test)]
mod people;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recovery;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "naive on purpose; a test that overflows fails")]
mod reporting;
#[cfg(test)]
mod restatements;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod terms;
#[cfg(test)]
mod worked_example;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "naive on purpose; a test that overflows fails")]
mod worlds;
