//! A small HTTP server: every line `tag words` of a body is answered `tag OK words` at once, in a chunk of its own.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificate::Certificate;
use crate::http::body::Body;
use crate::http::{Answer, Site, chunk};
use crate::wait::Scratch;

/// A server that runs as long as the test program.
pub struct Server {
    pub site: Site,
}

impl Server {
    pub fn start(tls: bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let scratch = Scratch::new("server");
        let certificate = Certificate::write(scratch.path());
        let config = server_config(&certificate);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let config = config.clone();
                thread::spawn(move || {
                    if tls {
                        let session = ServerConnection::new(config).expect("a TLS session");
                        serve(StreamOwned::new(session, stream))
                    } else {
                        serve::<TcpStream>(stream)
                    }
                });
            }
        });
        Server { site: Site { address, tls: tls.then(|| certificate.client()) } }
    }
}

fn server_config(certificate: &Certificate) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(&certificate.certificate).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("TLS versions").with_no_client_auth().with_single_cert(chain, key);
    Arc::new(config.expect("a usable certificate"))
}

/// Serves requests until the client goes; how it goes is the client's affair.
fn serve<S: Read + Write>(mut stream: S) -> io::Result<()> {
    let mut unread = Vec::new();
    loop {
        let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") else {
            more(&mut stream, &mut unread)?;
            continue;
        };
        let head = String::from_utf8_lossy(&unread[..end]).into_owned();
        unread.drain(..end + 4);
        answer(&mut stream, &head, &mut unread)?;
    }
}

fn answer<S: Read + Write>(stream: &mut S, head: &str, unread: &mut Vec<u8>) -> io::Result<()> {
    let headers = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let request = Answer { status: 200, headers, body: Vec::new(), body_octets: 0 };
    let zip = request.header("Accept-Encoding") == Some("gzip");
    let ack = request.header("PIMAP-Ack").unwrap_or_default();
    let encoding = if zip { "Content-Encoding: gzip\r\n" } else { "" };
    let head = format!("HTTP/1.1 200 OK\r\nSet-Cookie: k=v; HttpOnly\r\nX-Ack: {ack}\r\n{encoding}");
    stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes())?;
    stream.flush()?;
    let mut gzip = zip.then(|| GzEncoder::new(Vec::new(), Compression::default()));
    let mut body = Body::of(&request);
    let mut lines = Vec::new();
    loop {
        *unread = body.feed(&std::mem::take(unread), &mut lines).map_err(io::Error::other)?;
        while let Some(end) = lines.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&lines[..end]).replacen(' ', " OK ", 1) + "\r\n";
            lines.drain(..end + 2);
            let piece = match &mut gzip {
                None => line.into_bytes(),
                Some(gzip) => {
                    gzip.write_all(line.as_bytes()).and_then(|()| gzip.flush())?;
                    std::mem::take(gzip.get_mut())
                }
            };
            stream.write_all(&chunk(&piece))?;
            stream.flush()?;
        }
        if body.is_whole() {
            let tail = gzip.map(GzEncoder::finish).transpose()?.unwrap_or_default();
            let tail = if tail.is_empty() { tail } else { chunk(&tail) };
            stream.write_all(&[&tail, &b"0\r\n\r\n"[..]].concat())?;
            return stream.flush();
        }
        more(stream, unread)?;
    }
}

fn more<S: Read>(stream: &mut S, unread: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => {
            unread.extend_from_slice(&buffer[..length]);
            Ok(())
        }
    }
}
