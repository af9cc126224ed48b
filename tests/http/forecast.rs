//! What a month will come to, and what of budgets is used.

use serde_json::{Value, json};

use crate::http::fixture::{FORMULA, Options, Server};

fn of<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|item| item[key] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// Two hours are known and 720 are to come: 1434.833333334 x 361, and as much more of the discount.
#[tokio::test]
async fn a_forecast_says_what_it_is_made_of_and_that_it_is_one() {
    let server = Server::start(Options { demo: true, ..Options::default() }).await;
    let told = server.json("/api/v1/forecast?period=2026-10").await;
    assert_eq!(
        (&told["estimate"], &told["demo"], &told["currency"]),
        (&json!(true), &json!(true), &json!("EUR"))
    );
    assert!(
        told["method"].as_str().unwrap().contains("mean hourly amount of the last 7 such days"),
        "{told}"
    );
    assert_eq!((&told["hours_known"], &told["hours_estimated"]), (&json!(2), &json!(720)));
    let payments = of(&told["tenants"], "tenant", "payments");
    assert_eq!(
        payments,
        &json!({
            "tenant": "payments",
            "so_far": "1414.80",
            "forecast": "510742.80",
            "budget": {"per_month": "2000.00", "used_ratio": "0.7074", "forecast_ratio": "255.3714"},
            "tested": [
                {"after_day": 10, "months": 0, "mean_absolute_error_percent": null},
                {"after_day": 20, "months": 0, "mean_absolute_error_percent": null},
            ],
        })
    );
    let formula = of(&told["tenants"], "tenant", FORMULA);
    assert_eq!((&formula["so_far"], &formula["budget"]), (&json!("1.75"), &Value::Null));
    assert_eq!(of(&told["cost_centers"], "cost_center", "CC-100")["so_far"], "182.05");
    assert_eq!(told["total"]["so_far"], "1430.55");
    assert_eq!(told["tested_on"], json!([]), "no month is over");
    // Without a period it is the current one.
    assert_eq!(server.json("/api/v1/forecast").await, told);
    server.refused("/api/v1/forecast?period=october", 400).await;
    server.refused("/api/v1/forecast?tenant=payments", 400).await;
    server.refused("/api/v1/forecast?period=2026-12", 404).await;
}

#[tokio::test]
async fn budgets_are_told_with_what_is_used_of_them() {
    let server = Server::start(Options::default()).await;
    let told = server.json("/api/v1/budgets?period=2026-10").await;
    assert_eq!(
        told["items"],
        json!([
            {
                "cost_center": "CC-100",
                "from": "2026-10",
                "until": "2027-01",
                "so_far": "182.05",
                "remaining": "-82.05",
                "forecast": "65720.41",
                "per_month": "100.00",
                "used_ratio": "1.8205",
                "forecast_ratio": "657.2041",
            },
            // Nothing was charged to it, and nothing is expected.
            {
                "cost_center": "CC-NEW",
                "from": "2026-10",
                "until": null,
                "so_far": "0.00",
                "remaining": "50.00",
                "forecast": "0.00",
                "per_month": "50.00",
                "used_ratio": "0.0000",
                "forecast_ratio": "0.0000",
            },
            {
                "tenant": "payments",
                "from": "2026-10",
                "until": null,
                "so_far": "1414.80",
                "remaining": "585.20",
                "forecast": "510742.80",
                "per_month": "2000.00",
                "used_ratio": "0.7074",
                "forecast_ratio": "255.3714",
            },
        ])
    );
    assert_eq!(server.json("/api/v1/budgets?period=2026-09").await["items"], json!([]));
}
