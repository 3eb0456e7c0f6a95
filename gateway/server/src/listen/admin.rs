//! The operator's side: is it alive, is it ready, how is it doing.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use pimap_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// For the store to say whether it can store; longer: not ready.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Admin {
    metrics: PrometheusHandle,
    store: Arc<dyn Store>,
    stopping: watch::Receiver<bool>,
}

/// Serves `/healthz`, `/readyz` and `/metrics`. It goes on while the gateway drains, so that the drain can be watched.
pub async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    store: Arc<dyn Store>,
    stopping: watch::Receiver<bool>,
) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(Admin { metrics, store, stopping });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the admin listener ended");
    }
}

/// Ready: it accepts handsets and can store what it tells them. Upstream is no part of it: a mail server that is down
/// makes no gateway better than another.
async fn ready(State(admin): State<Admin>) -> Response {
    if *admin.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    match tokio::time::timeout(STORE_PATIENCE, admin.store.check()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(fault)) => {
            tracing::warn!(?fault, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store refuses\n").into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

async fn render(State(admin): State<Admin>) -> Response {
    admin.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.render())
        .into_response()
}
