//! `--export`: a run in the formats of other programs.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::stdout::out;
use crate::analysis::view::RunView;
use crate::report::{self, Export};

/// An export as it was asked for: `junit`, `junit=FILE`, `github=-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    to: Export,
    /// Where it goes, if not into the run's folder; `-` is stdout.
    file: Option<PathBuf>,
}

/// The names of the formats.
#[derive(Debug, Clone, Copy)]
struct Name(Export);

impl ValueEnum for Name {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Name; 6] = [
            Name(Export::Junit),
            Name(Export::Sarif),
            Name(Export::Github),
            Name(Export::Metrics),
            Name(Export::Plot),
            Name(Export::Firefox),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self.0 {
            Export::Junit => "junit",
            Export::Sarif => "sarif",
            Export::Github => "github",
            Export::Metrics => "metrics",
            Export::Plot => "plot",
            Export::Firefox => "firefox",
        }))
    }
}

/// `FORMAT` or `FORMAT=FILE`.
///
/// # Errors
/// There is no such format, or no file behind `=`.
pub fn wanted(text: &str) -> Result<Wanted, String> {
    let (name, file) = text.split_once('=').map_or((text, None), |(name, file)| (name, Some(file)));
    let to = Name::from_str(name.trim(), false).map_err(|_| {
        let all = Name::value_variants().iter().filter_map(Name::to_possible_value);
        let all: Vec<String> = all.map(|value| value.get_name().to_owned()).collect();
        format!("`{name}` is no format; there are {}", all.join(", "))
    })?;
    match file {
        Some("") => Err(format!("name a file behind `{name}=`, or `-` for stdout")),
        file => Ok(Wanted { to: to.0, file: file.map(PathBuf::from) }),
    }
}

/// Refuses what cannot be meant: two formats in one file, or one on the stdout that JSON lines go to.
///
/// # Errors
/// Which.
pub fn check(wanted: &[Wanted], json_lines: bool) -> anyhow::Result<()> {
    let files: Vec<&Path> = wanted.iter().filter_map(|one| one.file.as_deref()).collect();
    for (at, file) in files.iter().enumerate() {
        if files[..at].contains(file) {
            anyhow::bail!("--export: two formats go to {}; give each a file of its own", file.display());
        }
        if json_lines && file.as_os_str() == "-" {
            anyhow::bail!("--export: stdout has the lines of --json; give the format a file");
        }
    }
    Ok(())
}

/// Writes what was asked for: into `folder` where no file was named. What could not be written is given back, in sentences.
pub fn write(view: &RunView, wanted: &[Wanted], folder: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    for one in wanted {
        let path = one.file.clone().unwrap_or_else(|| folder.join(one.to.file_name()));
        let written = report::export(view, one.to).map_err(anyhow::Error::from).and_then(|text| {
            match path.as_os_str() == "-" {
                true => out(format_args!("{text}")),
                false => report::write_whole(&path, text.as_bytes())?,
            }
            Ok(())
        });
        if let Err(error) = written {
            missing.push(format!("{} could not be written: {error:#}", path.display()));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named_with_or_without_a_file() {
        assert_eq!(wanted("junit"), Ok(Wanted { to: Export::Junit, file: None }));
        assert_eq!(wanted("github=-"), Ok(Wanted { to: Export::Github, file: Some("-".into()) }));
        assert!(wanted("html").unwrap_err().contains("junit, sarif, github, metrics, plot, firefox"));
        assert!(wanted("sarif=").is_err());
        let both = |texts: [&str; 2], json| check(&texts.map(|text| wanted(text).unwrap()), json);
        assert!(both(["junit=a", "sarif=a"], false).is_err());
        assert!(both(["junit=a", "sarif=b"], true).is_ok() && both(["junit", "sarif=-"], false).is_ok());
        assert!(both(["junit", "sarif=-"], true).is_err());
    }
}
