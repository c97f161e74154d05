//! Which scripts belong to libraries, and not to the program itself.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Folders of libraries. A relative one is meant wherever it stands in a path; of the project's own scripts only below
/// the project's folder, which may itself lie in a `vendor/` of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Library {
    folders: Vec<String>,
    /// The project's folder, with a slash behind it; empty where it is not known.
    root: String,
}

/// As a plan has it: the folders alone, as plans of older versions do, or with the project's folder.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Folders(Vec<String>),
    Rooted { folders: Vec<String>, root: String },
}

impl From<Written> for Library {
    fn from(written: Written) -> Self {
        match written {
            Written::Folders(folders) => Self::of(folders),
            Written::Rooted { folders, root } => Self { folders, root },
        }
    }
}

impl From<Library> for Written {
    fn from(library: Library) -> Self {
        match library.root.is_empty() {
            true => Self::Folders(library.folders),
            false => Self::Rooted { folders: library.folders, root: library.root },
        }
    }
}

impl Default for Library {
    /// Composer's folder, and that of a system's packages.
    fn default() -> Self {
        Self::of(vec!["vendor/".to_owned(), "/usr/share/php".to_owned()])
    }
}

impl Library {
    /// These folders, or single files.
    pub fn of(folders: Vec<String>) -> Self {
        Self { folders, root: String::new() }
    }

    /// The same for a project in `root`.
    #[must_use]
    pub fn within(self, root: &Path) -> Self {
        let root = root.to_str().map(|root| root.trim_end_matches('/')).filter(|root| !root.is_empty());
        Self { root: root.map(|root| format!("{root}/")).unwrap_or_default(), ..self }
    }

    /// Whether a script lies in one of them.
    pub fn holds(&self, file: &str) -> bool {
        let own = if self.root.is_empty() { None } else { file.strip_prefix(&self.root) };
        self.folders.iter().any(|folder| {
            let folder = folder.trim_start_matches("./").trim_end_matches('/');
            let begins =
                |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let within = |path: &str| begins(path) || path.match_indices('/').any(|(at, _)| begins(&path[at + 1..]));
            match folder {
                "" => false,
                absolute if absolute.starts_with('/') => begins(file),
                _ => within(own.unwrap_or(file)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_of_folders_are_meant() {
        let holds = |folder: &str, file: &str| Library::of(vec![folder.to_owned()]).holds(file);
        assert!(Library::default().holds("/srv/app/vendor/react/Loop.php"));
        assert!(Library::default().holds("vendor/react/Loop.php"));
        assert!(Library::default().holds("/usr/share/php/Revolt/EventLoop.php"));
        assert!(!Library::default().holds("/srv/vendors/Loop.php"));
        assert!(!Library::default().holds("/srv/vendor.php"));
        assert!(holds("lib/mail", "/srv/lib/mail/Queue.php") && !holds("lib/mail", "/srv/lib/mailer/Queue.php"));
        assert!(holds("/usr/share/php", "/usr/share/php/Mail.php"));
        assert!(!holds("/usr/share/php", "/srv/usr/share/php/Mail.php"));
        assert!(holds("Legacy.php", "/srv/Legacy.php") && !holds("", "/srv/a.php"));
        assert!(!Library::of(Vec::new()).holds("/srv/vendor/a.php"));
    }

    #[test]
    fn a_project_below_a_folder_of_that_name_is_no_library() {
        let library = Library::default().within(Path::new("/srv/vendor/acme/mail"));
        assert!(!library.holds("/srv/vendor/acme/mail/src/Handler.php"));
        assert!(library.holds("/srv/vendor/acme/mail/vendor/react/Loop.php"));
        // What it was installed beside.
        assert!(library.holds("/srv/vendor/react/Loop.php") && library.holds("/srv/vendor/acme/mailer/Loop.php"));
        assert!(library.holds("vendor/react/Loop.php"));
        let at_the_top = Library::default().within(Path::new("/"));
        assert!(at_the_top.holds("/srv/vendor/react/Loop.php"));
    }

    #[test]
    fn a_plan_of_an_older_version_has_the_folders_alone() {
        let library: Library = serde_json::from_str(r#"["lib/"]"#).unwrap();
        assert_eq!(library, Library::of(vec!["lib/".to_owned()]));
        assert_eq!(serde_json::to_string(&library).unwrap(), r#"["lib/"]"#);
        let rooted = library.within(Path::new("/srv/app"));
        let written = serde_json::to_string(&rooted).unwrap();
        assert_eq!(serde_json::from_str::<Library>(&written).unwrap(), rooted, "{written}");
    }
}
