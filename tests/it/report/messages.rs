//! Single messages in a browser: a profile whose messages are known, one after the other.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::chromium::{Browser, Page, Screen};

use super::accessible;
use super::page::quiet;

/// A call and what it called: its name, the microseconds of its own.
struct Call(&'static str, u64, Vec<Call>);

impl Call {
    fn inclusive(&self) -> u64 {
        self.1 + self.2.iter().map(Call::inclusive).sum::<u64>()
    }

    /// Its records as Xdebug writes them: when a call ends.
    fn write(&self, text: &mut String) {
        self.2.iter().for_each(|call| call.write(text));
        *text += &format!("fl=/srv/app.php\nfn={}\n1 {} 0\n", self.0, self.1 * 100);
        for call in &self.2 {
            *text += &format!("cfl=/srv/app.php\ncfn={}\ncalls=1 0 0\n9 {} 0\n", call.0, call.inclusive() * 100);
        }
        *text += "\n";
    }
}

/// The first message reads twice in a row, the second one is the slowest and delivers before it reads. The loop turns
/// without a message, too.
fn served() -> Call {
    let read = |time| Call("App->read", time, Vec::new());
    let deliver = |time| Call("App->deliver", time, vec![Call("php::fwrite", 100, Vec::new())]);
    let messages =
        [(100, vec![read(300), read(200), deliver(300)]), (1000, vec![deliver(700), read(200)]), (50, vec![read(50)])];
    let data = |(own, calls)| Call("App->turn", 10, vec![Call("App->data", own, calls)]);
    let idle = || Call("App->turn", 10, Vec::new());
    Call("{main}", 5, messages.into_iter().map(data).chain([idle(), idle()]).collect())
}

/// The page of a profile of them, for so many messages.
fn page(name: &str, messages: &str) -> PathBuf {
    let mut text = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.0)\ncmd: /srv/app.php\npart: 1\npositions: line\n\n\
                    events: Time_(10ns) Memory_(bytes)\n\n"
        .to_owned();
    let all = served();
    all.write(&mut text);
    text += &format!("summary: {} 0\n\n", all.inclusive() * 100);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (profile, page) = (folder.join(format!("cachegrind.out.{name}")), folder.join(format!("message-{name}.html")));
    std::fs::write(&profile, text).expect("the folder is writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    command.args(["analyze", "--messages", messages, "-o"]).args([&page, &profile]);
    assert!(command.status().expect("it starts").success());
    page
}

/// The frames of the graph: name, and left edge and width in thousandths, from above and from the left.
fn frames(page: &mut Page<'_>) -> Vec<(String, i64, i64)> {
    let found = page.eval(
        "(() => { const all = document.querySelector('#message svg').getBoundingClientRect();
           const part = (pixels) => Math.round(pixels / all.width * 1000);
           return [...document.querySelectorAll('#message g')].map((g) => {
             g.dispatchEvent(new PointerEvent('pointerenter'));
             const box = g.querySelector('rect').getBoundingClientRect();
             return [document.querySelector('#message-name').textContent, part(box.left - all.left), part(box.width), box.top]; })
             .sort((a, b) => a[3] - b[3] || a[1] - b[1]); })()",
    );
    let frame = |frame: &serde_json::Value| {
        (frame[0].as_str().unwrap().to_owned(), frame[1].as_i64().unwrap(), frame[2].as_i64().unwrap())
    };
    found.as_array().expect("frames").iter().map(frame).collect()
}

fn expected(frames: &[(&str, i64, i64)]) -> Vec<(String, i64, i64)> {
    frames.iter().map(|(name, left, width)| ((*name).to_owned(), *left, *width)).collect()
}

fn text(page: &mut Page<'_>, selector: &str) -> String {
    page.eval(&format!("document.querySelector({selector:?}).textContent")).as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_message_is_shown_in_the_order_in_which_it_called() {
    let path = page("known", "3");
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&path, Screen::wide(1280));
    assert!(
        text(&mut page, "#message-part .note").contains("one call of App->data, which was called once for each of 3")
    );
    // 2 ms: the slowest stands first.
    assert_eq!(text(&mut page, "#message-aside"), "message 2 of 3, 4 calls");
    let slowest = [("App->data", 0, 1000), ("App->deliver", 0, 400), ("App->read", 400, 100), ("php::fwrite", 0, 50)];
    assert_eq!(frames(&mut page), expected(&slowest));
    page.click("#message-controls button[data-value=\"first\"]");
    let first = [
        ("App->data", 0, 1000),
        ("App->read", 0, 300),
        ("App->read", 300, 200),
        ("App->deliver", 500, 400),
        ("php::fwrite", 500, 100),
    ];
    assert_eq!(frames(&mut page), expected(&first));
    assert_eq!(text(&mut page, "#message-aside"), "message 1 of 3, 5 calls");
    page.click("#message-controls button[data-value=\"median\"]");
    assert_eq!(frames(&mut page), expected(&first), "1 ms lies between 2 and 0.1");
    page.click("#message-controls button[data-value=\"last\"]");
    assert_eq!(frames(&mut page), expected(&[("App->data", 0, 1000), ("App->read", 0, 500)]));
    quiet(&page, "messages");
    drop(page);
    accessible::check(&mut browser, &path, "messages");
}

#[test]
fn without_script_the_slowest_is_shown_and_the_others_can_be_opened() {
    let path = page("still", "3");
    let html = std::fs::read_to_string(&path).expect("the page");
    let (_, still) = html.split_once("id=\"message\"").expect("the graph");
    let (shown, others) = still.split_once("<details>").expect("the others");
    assert!(shown.contains("The slowest: message 2 of 3, 4 calls"), "{shown}");
    assert_eq!(others.matches("<summary>").count(), 3);
    // Two calls of one function, right behind each other, are two frames; those that it called stand in their order.
    let (wide, _) = others.split_once("class=\"narrow\"").expect("a wide one");
    let places: Vec<(&str, &str)> = wide
        .split("<title>")
        .skip(1)
        .map(|frame| {
            let (title, rest) = frame.split_once('(').expect("a figure");
            let (_, x) = rest.split_once(" x=\"").expect("a place");
            (title.trim().trim_end_matches('\u{2060}'), x.split_once('.').map_or("", |(x, _)| x))
        })
        .collect();
    let median = [("App-&gt;data", "0%"), ("App-&gt;deliver", "50"), ("App-&gt;read", "0%"), ("App-&gt;read", "30")];
    for frame in median {
        let is = |place: &(&str, &str)| {
            place.0 == frame.0 && (place.1 == frame.1 || frame.1 == "0%" && place.1.starts_with('0'))
        };
        assert!(places.iter().any(is), "{frame:?}: {places:?}");
    }
    let Some(mut browser) = Browser::start() else { return };
    let page = browser.open(&path, Screen { scripts: false, ..Screen::wide(1280) });
    quiet(&page, "messages without script");
}

#[test]
fn where_nothing_is_called_once_for_each_message_that_is_said() {
    for (name, messages, said) in [
        ("other", "7", "Not shown: No function was called exactly once for each of the 7 messages."),
        ("unknown", "0", "Not shown: How many messages were served meanwhile is not known (--messages)."),
    ] {
        let html = std::fs::read_to_string(page(name, messages)).expect("the page");
        assert!(html.contains(said), "{name}");
    }
}
