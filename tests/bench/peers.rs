//! The peers: nginx and HAProxy as Debian packages them, with configurations as small as theirs can be, and the memory
//! that a program takes.

use std::fs;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use pimap_tests::certificate::Certificate;
use pimap_tests::process::Running;
use pimap_tests::wait::{Scratch, eventually, free_ports};

/// A running peer.
pub struct Peer {
    // Dropped before its directory goes.
    process: Running,
    scratch: Scratch,
    address: SocketAddr,
}

impl Peer {
    /// HAProxy that copies octets between a port of its own and `server`.
    pub fn haproxy(server: SocketAddr) -> Peer {
        let config = "global\n  maxconn 8000\ndefaults\n  mode tcp\n  timeout connect 2s\n  timeout client 1h\n  \
                      timeout server 1h\nlisten imap\n  bind @ADDRESS@\n  server mail @SERVER@\n";
        Peer::start("haproxy", &["-db", "-f"], &config.replace("@SERVER@", &server.to_string()), false)
    }

    /// nginx as a reverse proxy that lets a request wait for as long as `server` does; over TLS if so asked.
    pub fn nginx(server: SocketAddr, tls: bool) -> Peer {
        let config = "daemon off;\nuser root;\nworker_processes 2;\nworker_rlimit_nofile 20000;\npid @DIR@/pid;\n\
             error_log @DIR@/error.log;\nevents { worker_connections 16000; }\nhttp {\n  access_log off;\n  \
             client_body_temp_path @DIR@/body;\n  proxy_temp_path @DIR@/proxy;\n  fastcgi_temp_path @DIR@/fastcgi;\n  \
             uwsgi_temp_path @DIR@/uwsgi;\n  scgi_temp_path @DIR@/scgi;\n  server {\n    listen @ADDRESS@ @TLS@;\n    \
             location / {\n      proxy_pass http://@SERVER@;\n      proxy_http_version 1.1;\n      \
             proxy_buffering off;\n      proxy_read_timeout 1h;\n    }\n  }\n}\n";
        let tls_config = "ssl;\n    ssl_certificate @DIR@/cert.pem;\n    ssl_certificate_key @DIR@/key.pem";
        let config = config
            .replace("@SERVER@", &server.to_string())
            .replace("@TLS@", if tls { tls_config } else { "backlog=4096" });
        // nginx opens its compiled-in error log before it reads where that should be.
        Peer::start("nginx", &["-e", "stderr", "-c"], &config, tls)
    }

    fn start(program: &str, arguments: &[&str], config: &str, tls: bool) -> Peer {
        let scratch = Scratch::new(program);
        if tls {
            Certificate::write(scratch.path());
        }
        let [port] = free_ports();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let directory = scratch.path().display().to_string();
        let config = config.replace("@ADDRESS@", &address.to_string()).replace("@DIR@", &directory);
        fs::write(scratch.join("conf"), config).expect("the configuration of a peer");
        let output = fs::File::create(scratch.join("output")).expect("a file for its output");
        let mut command = Command::new(program);
        command.args(arguments).arg(scratch.join("conf")).stdout(Stdio::null()).stderr(output);
        let process = Running::start(&mut command).expect("a peer; tests/bench/setup installs them");
        let listens = || TcpStream::connect(address).ok();
        eventually(&format!("{program} listens"), listens);
        Peer { process, scratch, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate, where it serves TLS.
    pub fn certificate(&self) -> Certificate {
        Certificate { certificate: self.scratch.join("cert.pem"), key: self.scratch.join("key.pem") }
    }

    /// Its memory, workers included.
    pub fn memory_kib(&mut self) -> f64 {
        memory_kib(self.process.child().id())
    }
}

/// The proportional memory of a program and of the processes it started, in KiB. Kernel memory of sockets is not in it.
pub fn memory_kib(process: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("a running program");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let own: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|kib| kib.parse().ok())
        .expect("Pss of a running program");
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    own + children.split_whitespace().filter_map(|child| child.parse().ok()).map(memory_kib).sum::<f64>()
}
