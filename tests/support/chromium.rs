//! A headless Chromium, driven through its DevTools protocol over a pair of pipes: pages are opened with
//! the network off, and everything that they say or ask for is written down.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

/// A running browser; it ends when this is dropped.
pub struct Browser {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    kept: VecDeque<Value>,
    next: u64,
    _profile: tempfile::TempDir,
}

/// A page that was opened.
pub struct Page<'a> {
    browser: &'a mut Browser,
    session: String,
    target: String,
    /// What it asked for, as addresses.
    pub requests: Vec<String>,
    /// Errors and warnings of its console.
    pub complaints: Vec<String>,
}

/// What a page is opened on.
#[derive(Clone, Copy)]
pub struct Screen {
    /// Width in CSS pixels.
    pub width: u32,
    /// Height in CSS pixels.
    pub height: u32,
    /// The reader prefers dark.
    pub dark: bool,
    /// Scripts run.
    pub scripts: bool,
}

impl Screen {
    /// A light screen of this width.
    pub fn wide(width: u32) -> Self {
        Self { width, height: 900, dark: false, scripts: true }
    }
}

impl Browser {
    /// Starts a browser; none where there is none to start and missing tools are to be left out.
    pub fn start() -> Option<Self> {
        let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(find);
        super::tools::missing(program.is_some(), "chromium", "chromium");
        let program = program?;
        let profile = tempfile::tempdir().expect("a folder for the browser's profile");
        // The browser reads commands from descriptor 3 and answers on 4; the shell moves ours there.
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg("exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1")
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the shell starts");
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().expect("its output is ours"));
        let (send, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if send.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        Some(Self { child, input, messages, kept: VecDeque::new(), next: 0, _profile: profile })
    }

    /// Opens a file on a screen, the network off, and waits until it is loaded and drawn.
    pub fn open(&mut self, file: &Path, screen: Screen) -> Page<'_> {
        self.open_at(file, "", screen)
    }

    /// The same, with what stands behind the `#` of the address.
    pub fn open_at(&mut self, file: &Path, fragment: &str, screen: Screen) -> Page<'_> {
        let target = self.ask("", "Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = self.ask("", "Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        let session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            self.ask(&session, &format!("{domain}.enable"), json!({}));
        }
        let offline = json!({"offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0});
        self.ask(&session, "Network.emulateNetworkConditions", offline);
        let size = json!({"width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": false});
        self.ask(&session, "Emulation.setDeviceMetricsOverride", size);
        let scheme = if screen.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask(&session, "Emulation.setEmulatedMedia", media);
        self.ask(&session, "Emulation.setScriptExecutionDisabled", json!({"value": !screen.scripts}));
        let file = file.canonicalize().expect("the page is there");
        self.ask(&session, "Page.navigate", json!({"url": format!("file://{}#{fragment}", file.display())}));
        let target = target.as_str().unwrap_or_default().to_owned();
        let mut page = Page { browser: self, session, target, requests: Vec::new(), complaints: Vec::new() };
        page.wait_for("Page.loadEventFired");
        if screen.scripts {
            page.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
        }
        page
    }

    fn ask(&mut self, session: &str, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": params});
        if !session.is_empty() {
            message["sessionId"] = json!(session);
        }
        let input = self.input.as_mut().expect("open while the browser lives");
        let sent = input.write_all(format!("{message}\0").as_bytes()).and_then(|()| input.flush());
        sent.unwrap_or_else(|error| panic!("{method}: the browser is gone: {error}"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.messages.recv_timeout(left).unwrap_or_else(|_| panic!("{method}: no answer"));
            if answer["id"] == json!(id) {
                assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.kept.push_back(answer);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With its pipe closed the browser ends by itself; what does not is killed.
        drop(self.input.take());
        for _ in 0..100 {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page<'_> {
    /// The value of an expression; a promise is awaited.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.browser.ask(&self.session, "Runtime.evaluate", params);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        self.note();
        answer["result"]["value"].clone()
    }

    /// Clicks with a real mouse in the middle of the first element that fits.
    pub fn click(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{block: 'center', behavior: 'instant'}});
               const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; }})()",
            json!(selector)
        ));
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.browser.ask(&self.session, "Input.dispatchMouseEvent", params);
        }
        self.note();
    }

    /// Presses a key by its name, as `Enter`.
    pub fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let code = match key {
                "Enter" => 13,
                "Escape" => 27,
                "ArrowLeft" => 37,
                "ArrowUp" => 38,
                "ArrowRight" => 39,
                "ArrowDown" => 40,
                _ => 0,
            };
            let params = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.browser.ask(&self.session, "Input.dispatchKeyEvent", params);
        }
        self.note();
    }

    /// Types text into what has the focus.
    pub fn type_text(&mut self, text: &str) {
        self.browser.ask(&self.session, "Input.insertText", json!({"text": text}));
        self.note();
    }

    /// Shows the page as on paper of this width, in CSS pixels.
    pub fn on_paper(&mut self, width: u32) {
        let size = json!({"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": false});
        self.browser.ask(&self.session, "Emulation.setDeviceMetricsOverride", size);
        self.browser.ask(&self.session, "Emulation.setEmulatedMedia", json!({"media": "print"}));
    }

    /// Moves the mouse to a point of the first element that fits, in shares of its width and height.
    pub fn point(&mut self, selector: &str, across: f64, down: f64) {
        let place = self.eval(&format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{block: 'center', behavior: 'instant'}});
               const r = e.getBoundingClientRect(); return [r.left + r.width * {across}, r.top + r.height * {down}]; }})()",
            json!(selector)
        ));
        let params = json!({"type": "mouseMoved", "x": place[0], "y": place[1]});
        self.browser.ask(&self.session, "Input.dispatchMouseEvent", params);
        self.note();
    }

    /// The page on paper, as a PDF.
    pub fn print(&mut self) -> Vec<u8> {
        let params =
            json!({"printBackground": true, "paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true});
        let answer = self.browser.ask(&self.session, "Page.printToPDF", params);
        base64(answer["data"].as_str().expect("a document"))
    }

    /// A picture of the whole page.
    pub fn screenshot(&mut self, file: &Path) {
        let size = self.browser.ask(&self.session, "Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let params = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let answer = self.browser.ask(&self.session, "Page.captureScreenshot", params);
        std::fs::write(file, base64(answer["data"].as_str().expect("a picture"))).expect("the picture is written");
    }

    fn wait_for(&mut self, event: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.note().iter().any(|seen| seen == event) {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.browser.messages.recv_timeout(left).unwrap_or_else(|_| panic!("{event} never came"));
            self.browser.kept.push_back(message);
        }
    }

    /// Reads the events that came meanwhile; returns their names.
    fn note(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        self.browser.kept.extend(self.browser.messages.try_iter());
        for message in std::mem::take(&mut self.browser.kept) {
            if message["sessionId"] != json!(self.session) {
                continue;
            }
            let (method, params) = (message["method"].as_str().unwrap_or_default(), &message["params"]);
            match method {
                "Network.requestWillBeSent" => {
                    self.requests.extend(params["request"]["url"].as_str().map(str::to_owned));
                }
                "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" if params["type"] != "log" => self.complaints.push(params.to_string()),
                "Log.entryAdded" => self.complaints.push(params["entry"].to_string()),
                _ => {}
            }
            names.push(method.to_owned());
        }
        names
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.browser.ask("", "Target.closeTarget", json!({"targetId": self.target}));
        }
    }
}

fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().fold(0u32, |bits, &byte| bits << 6 | u32::from(value(byte))) << (6 * (4 - four.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    out
}
