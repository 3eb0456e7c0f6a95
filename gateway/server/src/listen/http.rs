//! P-IMAP over HTTP and HTTPS: our own accept loop, hyper's connections, axum's router (design D11, measured.md 1).

#[cfg(test)]
mod tests;

use super::socket::{Place, accept, stopped};
use super::tls::Tls;
use crate::drive::conversation::{Conversation, Manner};
use crate::drive::link::Link;
use crate::front::{COOKIE, Front};
use crate::metrics::Connected;
use crate::web::asked::{Asked, CONTINUE, MEDIA_TYPE, Refused, judge};
use crate::web::continuation::{Resumed, Token};
use crate::web::departure::{Departures, Watched};
use crate::web::exchange::Exchange;
use crate::web::response::ResponseBody;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Router, http::StatusCode};
use bytes::BytesMut;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, SET_COOKIE, VARY};
use http::{HeaderName, HeaderValue, Version};
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pimap_account::contract::{RequestKey, Transport, TransportKind};
use pimap_types::Secret;
use sha2::{Digest, Sha256};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// For a request's head, and between requests of one connection (slow loris).
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// For the next octets of a body whose length is known.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// For the end of a body whose length is not known: one that has not ended by then is a stream. Its pieces reach us one by
/// one even when they came in one packet, so that looking once would take every chunked batch for a stream.
const END_PATIENCE: Duration = Duration::from_millis(25);
/// What of a body is read before its first command is looked at: its end shows what it is.
const FIRST_BYTES_MAX: usize = 64 << 10;
/// hyper's buffer for one connection.
const BUFFER_BYTES_MAX: usize = 16 << 10;
/// Streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 16;

/// What a request knows of its connection.
#[derive(Clone)]
struct Connection {
    secured: bool,
    peer: Option<SocketAddr>,
    departures: Arc<Departures>,
}

/// What is known of a connection when it begins.
#[derive(Clone, Copy)]
struct On {
    secured: bool,
    peer: Option<SocketAddr>,
}

/// Serves `http`; HTTPS when there is a certificate.
pub async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    tls: Option<Tls>,
    stopping: watch::Receiver<bool>,
) {
    let router = router(front);
    let halt = stopping.clone();
    let tls = tls.map(Arc::new);
    accept(listener, stopping, move |stream, peer, place| {
        connection(stream, Some(peer), router.clone(), tls.clone(), halt.clone(), place)
    })
    .await;
}

fn router(front: Arc<Front>) -> Router {
    Router::new().route("/pimap", post(pimap)).with_state(front)
}

async fn connection(
    stream: TcpStream,
    peer: Option<SocketAddr>,
    router: Router,
    tls: Option<Arc<Tls>>,
    stopping: watch::Receiver<bool>,
    _place: Place,
) {
    let _connected = Connected::over("http");
    // Boxed apart: a connection pays for what it is, not for all that it might have been (D16).
    let Some(tls) = tls else {
        return Box::pin(plain_or_h1(stream, On { secured: false, peer }, router, stopping)).await;
    };
    let Some(stream) = Box::pin(tls.accept_web(stream)).await else { return };
    let is_h2 = stream.protocol() == Some(b"h2");
    if is_h2 {
        Box::pin(h2(stream, On { secured: true, peer }, router, stopping)).await;
    } else {
        Box::pin(plain_or_h1(stream, On { secured: true, peer }, router, stopping)).await;
    }
}

/// Watches the socket and says to each request what it is on.
fn prepare<S>(
    stream: S,
    on: On,
    router: Router,
) -> (
    TokioIo<Watched<S>>,
    impl Service<
        hyper::Request<hyper::body::Incoming>,
        Response = Response,
        Error = std::convert::Infallible,
        Future: Send + 'static,
    > + Clone,
) {
    let departures = Arc::<Departures>::default();
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&departures)));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Connection {
            secured: on.secured,
            peer: on.peer,
            departures: Arc::clone(&departures),
        });
        router.call(request)
    });
    (io, service)
}

async fn plain_or_h1<S>(stream: S, on: On, router: Router, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (io, service) = prepare(stream, on, router);
    let mut serving = pin!(
        http1::Builder::new()
            // A handset may shut its side down after the last chunk and wait for the rest.
            .half_close(true)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(io, service)
    );
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopped(&mut stopping) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP connection");
    }
}

async fn h2<S>(stream: S, on: On, router: Router, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (io, service) = prepare(stream, on, router);
    let mut serving = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .keep_alive_interval(Some(Duration::from_secs(240)))
            .keep_alive_timeout(Duration::from_secs(30))
            .serve_connection(io, service)
    );
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopped(&mut stopping) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP/2 connection");
    }
}

/// One exchange.
async fn pimap(
    State(front): State<Arc<Front>>,
    Extension(on): Extension<Connection>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let asked = match judge(&head.headers) {
        Ok(asked) => asked,
        Err(refused) => return refuse(refused),
    };
    let (mut exchange, slot) = Exchange::new(body);
    let mut first = match First::read(&mut exchange, asked.expects).await {
        Ok(first) => first,
        Err(refused) => return refuse(refused),
    };
    if let Some(token) = &asked.continues
        && let Err(text) = first.go_on(&front, token, &asked)
    {
        // What this body holds was meant to be a literal: not an octet of it is taken for a command (F6).
        return refuse(Refused(StatusCode::CONFLICT, text));
    }
    let continuation = first.may_continue().then(Token::new);
    let may_login = on.secured || front.settings.allow_cleartext;
    let manner = Manner {
        transport: Transport { kind: first.kind, may_show_key: may_login },
        may_login,
        starttls: false,
        peer: on.peer,
        greet: false,
        cookie: asked.cookie,
        presented: asked.presented,
        cursors: asked.cursors,
        request: first.name(&asked).map(Box::new),
        continuation: continuation.clone(),
    };
    let mut conversation = Conversation::new(exchange, front, manner, &first.octets);
    if first.ended {
        conversation.end_input();
    }
    let outbox = conversation.outbox();
    let mut body = ResponseBody::new(
        Box::pin(Box::new(conversation).run()),
        slot,
        asked.gzip,
        Arc::clone(&on.departures),
    );
    body.until_head(first.kind == TransportKind::HttpStream).await;
    if outbox.is_reused() {
        // The Idempotency-Key HTTP header field, 2.7.
        let text = "this Idempotency-Key is that of another request; nothing of this one was done";
        return refuse(Refused(StatusCode::UNPROCESSABLE_ENTITY, text));
    }
    // 500 means that our own failure was the first thing that happened; later ones can only say BYE.
    let status = if outbox.failed_first() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    // nginx and its kin would collect a stream until it ends.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    // It names a half command if the last line of the body is `+`.
    if let Some(token) = continuation.and_then(|token| sensitive(token.text().expose())) {
        headers.insert(CONTINUE, token);
    }
    if asked.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(cookie) = outbox.take_cookie().and_then(|cookie| set_cookie(&cookie, on.secured)) {
        headers.insert(SET_COOKIE, cookie);
    }
    if head.version == Version::HTTP_10 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn refuse(Refused(status, text): Refused) -> Response {
    let mut response = (status, format!("{text}\n")).into_response();
    // The body was not read: what is left of it would be taken for the next request.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn set_cookie(cookie: &Secret, secured: bool) -> Option<HeaderValue> {
    let cookie = std::str::from_utf8(cookie.expose()).ok()?;
    let secure = if secured { "; Secure" } else { "" };
    let text = format!("{COOKIE}={cookie}; Path=/pimap; HttpOnly{secure}; SameSite=Strict");
    sensitive(text.as_bytes())
}

/// A header's value that is nobody's to print.
fn sensitive(octets: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(octets).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The beginning of a body.
struct First {
    octets: BytesMut,
    ended: bool,
    /// The length of the whole body, where that is known.
    length: Option<u64>,
    kind: TransportKind,
}

impl First {
    /// Reads a body to its end, to [`FIRST_BYTES_MAX`], or, when its length is not known, for [`END_PATIENCE`]: then it is a
    /// stream.
    async fn read(exchange: &mut Exchange, expects: bool) -> Result<First, Refused> {
        let counted = exchange.expected();
        let is_counted = counted.is_some();
        let mut octets = BytesMut::new();
        let mut ended = false;
        let end_by = Instant::now() + END_PATIENCE;
        while !ended && octets.len() < FIRST_BYTES_MAX {
            let until = if is_counted { Instant::now() + BODY_PATIENCE } else { end_by };
            match timeout_at(until, poll_fn(|cx| exchange.poll_read(cx, &mut octets))).await {
                Err(_) if !is_counted => break,
                Err(_) => return Err(Refused(StatusCode::REQUEST_TIMEOUT, "the body came too slowly")),
                Ok(Ok(read)) => ended = read == crate::drive::link::Read::End,
                Ok(Err(_)) => return Err(Refused(StatusCode::BAD_REQUEST, "the body is broken")),
            }
        }
        if expects {
            // The look at the body asked for `100 Continue`; it is written when the server has had a turn, and must be
            // before the head, or the handset never sends its body (measured.md 1).
            tokio::task::yield_now().await;
        }
        let kind = if ended || is_counted { TransportKind::HttpBatch } else { TransportKind::HttpStream };
        let length = if ended { Some(octets.len() as u64) } else { counted };
        Ok(First { octets, ended, length, kind })
    }

    /// Puts the half command that the token names before the body; or why not.
    fn go_on(&mut self, front: &Front, token: &Secret, asked: &Asked) -> Result<(), &'static str> {
        let body = || self.ended.then(|| Sha256::digest(&self.octets).into());
        let continuer = asked.named.as_ref().map(|named| named.hash).or_else(body);
        let half = match front.continuations.resume(token.expose(), asked.cookie, continuer) {
            Resumed::Half(half) => half,
            Resumed::Unknown => {
                return Err("there is no such command to continue (any more): send it again as a whole");
            }
            Resumed::Continued => {
                return Err(
                    "this command was continued already and may have been done: look before it is sent again",
                );
            }
        };
        let literal = std::mem::replace(&mut self.octets, BytesMut::from(&half[..]));
        self.octets.unsplit(literal);
        self.length = self.length.map(|length| length + half.len() as u64);
        Ok(())
    }

    /// Whether the body looks as if it ended with the head of a literal.
    fn may_continue(&self) -> bool {
        let line = self.octets.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let digits = line.and_then(|line| line.strip_suffix(b"}")).and_then(|line| line.last());
        self.ended && digits.is_some_and(u8::is_ascii_digit)
    }

    /// The request's name: the handset's own, else a hash of what makes a repeat recognisable. A stream has none, since
    /// its end is not known.
    fn name(&self, asked: &Asked) -> Option<RequestKey> {
        if let Some(named) = &asked.named {
            // Of a long body only the beginning is compared; of a stream nothing, since what was read of it by now is chance.
            let beginning = self.octets.get(..FIRST_BYTES_MAX).unwrap_or(&self.octets);
            let says = self.length.map(|length| named.digest(length, beginning));
            return Some(RequestKey { hash: named.hash, named: true, says });
        }
        if self.kind != TransportKind::HttpBatch {
            return None;
        }
        if !self.ended {
            // Its beginning does not name a long body: two letters may differ in their last line only.
            return None;
        }
        let mut hash = Sha256::new();
        hash.update(&self.octets);
        Some(RequestKey { hash: hash.finalize().into(), named: false, says: None })
    }
}
