//! Rows of figures: what was measured, of the gateway and of a peer, and how good it has to be. Printed as a table and
//! written as JSON. Refuses judgement by hand: whether an aim is met follows from the numbers.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

/// How good a figure has to be (design section 6).
#[derive(Debug, Clone, Copy)]
pub enum Aim {
    /// Our own number, at most.
    AtMost(f64),
    /// Ours over the peer's, at most.
    RatioAtMost(f64),
    /// Ours over the peer's, at least.
    RatioAtLeast(f64),
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// In which unit.
    pub unit: &'static str,
    /// The gateway's number.
    pub ours: f64,
    /// Who else was measured, and its number.
    pub peer: Option<(&'static str, f64)>,
    /// What is aimed at, where something is.
    pub aim: Option<Aim>,
}

impl Row {
    /// Ours over the peer's.
    fn ratio(&self) -> Option<f64> {
        self.peer.map(|(_, theirs)| self.ours / theirs)
    }

    fn is_met(&self) -> Option<bool> {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        self.aim.map(|aim| match aim {
            Aim::AtMost(limit) => self.ours <= limit,
            Aim::RatioAtMost(limit) => ratio <= limit,
            Aim::RatioAtLeast(limit) => ratio >= limit,
        })
    }

    fn aim_text(&self) -> String {
        match self.aim {
            None => String::new(),
            Some(Aim::AtMost(limit)) => format!("<= {limit} {}", self.unit),
            Some(Aim::RatioAtMost(limit)) => format!("<= {limit} x"),
            Some(Aim::RatioAtLeast(limit)) => format!(">= {limit} x"),
        }
    }

    fn cells(&self) -> [String; 7] {
        let (peer, theirs) = match self.peer {
            Some((peer, theirs)) => (peer.to_owned(), number(theirs)),
            None => (String::new(), String::new()),
        };
        let met = self.is_met().map_or("", |met| if met { "met" } else { "MISSED" });
        [
            format!("{} [{}]", self.what, self.unit),
            number(self.ours),
            peer,
            theirs,
            self.ratio().map(number).unwrap_or_default(),
            self.aim_text(),
            met.to_owned(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "unit": self.unit,
            "gateway": self.ours,
            "peer": self.peer.map(|(peer, _)| peer),
            "peer_value": self.peer.map(|(_, theirs)| theirs),
            "ratio": self.ratio(),
            "aim": self.aim.map(|_| self.aim_text()),
            "met": self.is_met(),
        })
    }
}

/// The rows of one figure.
#[derive(Debug)]
pub struct Report {
    name: &'static str,
    rows: Vec<Row>,
}

impl Report {
    /// An empty one.
    pub fn new(name: &'static str) -> Report {
        Report { name, rows: Vec::new() }
    }

    /// Adds a row with a peer.
    pub fn compare(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        ours: f64,
        peer: (&'static str, f64),
        aim: Option<Aim>,
    ) {
        self.add(Row { what: what.into(), unit, ours, peer: Some(peer), aim });
    }

    /// Adds a row without one.
    pub fn alone(&mut self, what: impl Into<String>, unit: &'static str, ours: f64, aim: Option<Aim>) {
        self.add(Row { what: what.into(), unit, ours, peer: None, aim });
    }

    fn add(&mut self, row: Row) {
        eprintln!("  {}", row.cells().join("  "));
        self.rows.push(row);
    }

    /// Writes `bench/NAME.json`.
    pub fn write(&self) -> io::Result<()> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench");
        fs::create_dir_all(&directory)?;
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        let report = json!({ "figure": self.name, "processors": processors, "rows": rows });
        fs::write(directory.join(format!("{}.json", self.name)), format!("{report:#}\n"))
    }
}

/// Prints all rows as one table.
pub fn print(reports: &[Report]) {
    let head = ["what [unit]", "gateway", "peer", "peer's", "ratio", "aim", ""].map(str::to_owned);
    let rows: Vec<[String; 7]> =
        reports.iter().flat_map(|report| report.rows.iter().map(Row::cells)).collect();
    let width = |at: usize| rows.iter().chain([&head]).map(|row| row[at].len()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    for row in [&head].into_iter().chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

fn number(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 1000.0 => 0,
        middle if middle >= 10.0 => 1,
        one if one >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// The value below which a share of the samples lies.
pub fn percentile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    // Casts: a share of a small count, never negative.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The value in the middle.
pub fn median(samples: &[f64]) -> f64 {
    percentile(samples, 0.5)
}
