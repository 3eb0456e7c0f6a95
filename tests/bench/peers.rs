//! The peers: nginx, HAProxy and Dovecot as Debian packages them, with configurations as small as theirs can be. A peer
//! that is not there or does not start ends the run with what is missing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use pimap_tests::certificate::Certificate;
use pimap_tests::dovecot::Dovecot;
use pimap_tests::process::Running;
use pimap_tests::wait::{Scratch, eventually, free_ports};

use crate::client::Trust;

/// nginx's mail proxy, where Debian's package of it puts it.
const MAIL_MODULE: &str = "/usr/lib/nginx/modules/ngx_mail_module.so";

/// What protects the handset's side of a proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    Plain,
    /// TLS from the first octet.
    Tls,
}

impl Security {
    /// Its name in a row.
    pub fn name(self) -> &'static str {
        match self {
            Security::Plain => "plain",
            Security::Tls => "TLS",
        }
    }
}

/// A running peer.
pub struct Peer {
    program: Program,
    address: SocketAddr,
    certificate: Option<Certificate>,
}

/// What runs.
enum Program {
    /// A program with one configuration file; dropped before its directory goes.
    Plain(Running, Scratch),
    Dovecot(Dovecot),
}

impl Peer {
    /// HAProxy that copies octets between a port of its own and `server`, and ends TLS if so asked.
    pub fn haproxy(server: SocketAddr, security: Security) -> Peer {
        let config = "global\n  maxconn 9000\ndefaults\n  mode tcp\n  timeout connect 2s\n  timeout client 1h\n  \
                      timeout server 1h\nlisten imap\n  bind @ADDRESS@ @TLS@\n  server mail @SERVER@\n";
        let config = config.replace("@SERVER@", &server.to_string());
        Peer::start("haproxy", &["-db", "-f"], &config, security, "ssl crt @DIR@/both.pem")
    }

    /// nginx as a reverse proxy that lets a request wait for as long as `server` does.
    pub fn nginx(server: SocketAddr, security: Security) -> Peer {
        let config = "@HEAD@http {\n  access_log off;\n  \
             client_body_temp_path @DIR@/body;\n  proxy_temp_path @DIR@/proxy;\n  fastcgi_temp_path @DIR@/fastcgi;\n  \
             uwsgi_temp_path @DIR@/uwsgi;\n  scgi_temp_path @DIR@/scgi;\n@KEYS@  server {\n    listen @ADDRESS@ @TLS@;\n    \
             location / {\n      proxy_pass http://@SERVER@;\n      proxy_http_version 1.1;\n      \
             proxy_buffering off;\n      proxy_read_timeout 1h;\n    }\n  }\n}\n";
        Peer::start_nginx(&config.replace("@SERVER@", &server.to_string()), security)
    }

    /// nginx as a mail proxy before `server`, which whoever asks is sent to.
    pub fn nginx_mail(server: SocketAddr, security: Security) -> Peer {
        assert!(Path::new(MAIL_MODULE).exists(), "{MAIL_MODULE} is missing; tests/bench/setup installs it");
        let config = "load_module @MODULE@;\n@HEAD@mail {\n  auth_http http://@AUTH@/;\n  \
             imap_capabilities IMAP4rev1 IDLE;\n@KEYS@  server {\n    listen @ADDRESS@ @TLS@;\n    protocol imap;\n    \
             imap_auth plain login;\n    timeout 1h;\n  }\n}\n";
        let config =
            config.replace("@MODULE@", MAIL_MODULE).replace("@AUTH@", &directory_of(server).to_string());
        Peer::start_nginx(&config, security)
    }

    /// Dovecot as an IMAP proxy before `server`, which logs everybody in there.
    pub fn dovecot_proxy(server: SocketAddr, security: Security) -> Peer {
        let proxy = format!("nopassword=y proxy=y host={} port={}", server.ip(), server.port());
        Peer::dovecot(security, |text| text.replace("args = password=pw", &format!("args = {proxy}")))
    }

    /// Dovecot itself, which puts idle connections aside after a second.
    pub fn dovecot_hibernating(security: Security) -> Peer {
        let services = "service imap {\n  unix_listener imap-master {\n    user = $default_internal_user\n  }\n}\n\
                        service imap-hibernate {\n  client_limit = 20000\n  \
                        unix_listener imap-hibernate {\n    mode = 0666\n  }\n}\n";
        Peer::dovecot(security, |text| {
            text.replace("imap_hibernate_timeout = 0", "imap_hibernate_timeout = 1s") + services
        })
    }

    fn dovecot(security: Security, change: impl FnOnce(String) -> String) -> Peer {
        let mut dovecot = Dovecot::start();
        // What thousands of connections take is measured, not bounded.
        dovecot.reconfigure(|text, _| change(text) + "default_vsz_limit = 8 G\n");
        let (address, certificate) = match security {
            Security::Plain => (dovecot.imap(), None),
            Security::Tls => (dovecot.imaps(), Some(dovecot.certificate().clone())),
        };
        Peer { program: Program::Dovecot(dovecot), address, certificate }
    }

    fn start_nginx(config: &str, security: Security) -> Peer {
        let head = "daemon off;\nuser root;\nworker_processes 2;\nworker_rlimit_nofile 20000;\npid @DIR@/pid;\n\
                    error_log @DIR@/error.log;\nevents { worker_connections 16000; }\n";
        let keys = "  ssl_certificate @DIR@/cert.pem;\n  ssl_certificate_key @DIR@/key.pem;\n";
        let (keys, plain) = match security {
            Security::Plain => ("", "backlog=4096"),
            Security::Tls => (keys, ""),
        };
        let config = config.replace("@HEAD@", head).replace("@KEYS@", keys);
        let config = if plain.is_empty() { config } else { config.replace("@TLS@", plain) };
        // nginx opens its compiled-in error log before it reads where that should be.
        Peer::start("nginx", &["-e", "stderr", "-c"], &config, security, "ssl")
    }

    fn start(program: &str, arguments: &[&str], config: &str, security: Security, tls: &str) -> Peer {
        let scratch = Scratch::new(program);
        let certificate = (security == Security::Tls).then(|| Certificate::write(scratch.path()));
        if let Some(certificate) = &certificate {
            let read = |path| fs::read_to_string(path).expect("a file just written");
            let both = read(&certificate.certificate) + &read(&certificate.key);
            fs::write(scratch.join("both.pem"), both).expect("both.pem");
        }
        let [port] = free_ports();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let directory = scratch.path().display().to_string();
        let config = config
            .replace("@TLS@", if certificate.is_some() { tls } else { "" })
            .replace("@ADDRESS@", &address.to_string())
            .replace("@DIR@", &directory);
        fs::write(scratch.join("conf"), config).expect("the configuration of a peer");
        let output = fs::File::create(scratch.join("output")).expect("a file for its output");
        let mut command = Command::new(program);
        command.args(arguments).arg(scratch.join("conf")).stdout(Stdio::null()).stderr(output);
        let mut process = Running::start(&mut command)
            .unwrap_or_else(|error| panic!("{program}: {error}; tests/bench/setup installs it"));
        eventually(&format!("{program} listens"), || {
            let ended = process.exited();
            let said = || fs::read_to_string(scratch.join("output")).unwrap_or_default();
            assert!(ended.is_none(), "{program} ended: {}", said());
            TcpStream::connect(address).ok()
        });
        Peer { program: Program::Plain(process, scratch), address, certificate }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is trusted there.
    pub fn trust(&self) -> Trust {
        self.certificate.as_ref().map(Certificate::client)
    }

    /// Its first process.
    pub fn process_id(&mut self) -> u32 {
        match &mut self.program {
            Program::Plain(process, _scratch) => process.child().id(),
            Program::Dovecot(dovecot) => dovecot.process_id(),
        }
    }
}

/// What nginx asks where a login belongs (ngx_mail_auth_http_module): always `server`.
fn directory_of(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let answer = format!(
        "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: {}\r\nAuth-Port: {}\r\n\r\n",
        server.ip(),
        server.port()
    );
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut head = BufReader::new(&stream).lines();
            // A question that breaks off is nginx's to notice.
            while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    address
}
