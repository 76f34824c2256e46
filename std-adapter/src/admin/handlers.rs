//! What each path answers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use seawall_core::Clock;
use serde::Serialize;

use super::Admin;
use crate::metrics::Format;
use crate::stats::Stats;

/// The statistics, and how the node presents itself.
#[derive(Serialize)]
struct Node {
    ready: bool,
    draining: bool,
    #[serde(flatten)]
    stats: Stats,
}

pub(super) fn router<C: Clock + Send + Sync + 'static>(admin: Arc<Admin<C>>) -> Router {
    Router::new()
        .route("/metrics", get(metrics::<C>))
        .route("/livez", get(live))
        .route("/healthz", get(live))
        .route("/readyz", get(ready::<C>))
        .route("/stats", get(stats::<C>))
        .route("/debug/resilience", get(stats::<C>))
        .with_state(admin)
}

async fn metrics<C: Clock>(State(admin): State<Arc<Admin<C>>>, headers: HeaderMap) -> Response {
    let accepted: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::negotiate(&accepted.join(","));
    ([(CONTENT_TYPE, format.content_type()), (VARY, "Accept")], admin.metrics.encode(format)).into_response()
}

async fn live() -> Response {
    plain(StatusCode::OK, "live\n".to_owned())
}

async fn ready<C: Clock + Send + Sync + 'static>(State(admin): State<Arc<Admin<C>>>) -> Response {
    let obstacles = admin.obstacles();
    if obstacles.is_empty() {
        plain(StatusCode::OK, "ready\n".to_owned())
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, obstacles.join("\n") + "\n")
    }
}

async fn stats<C: Clock + Send + Sync + 'static>(State(admin): State<Arc<Admin<C>>>) -> Response {
    let guards = (admin.guards)();
    for guard in &guards {
        guard.refresh();
    }
    let node = Node {
        ready: admin.obstacles().is_empty(),
        draining: admin.draining.has_begun(),
        stats: Stats::of(&guards),
    };
    ([(CACHE_CONTROL, "no-store")], Json(node)).into_response()
}

fn plain(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], body).into_response()
}
