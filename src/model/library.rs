//! Which scripts belong to libraries, and not to the program itself.

use serde::{Deserialize, Serialize};

/// Folders of libraries. A relative one is meant wherever it stands in a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Library(Vec<String>);

impl Default for Library {
    /// Composer's folder.
    fn default() -> Self {
        Self(vec!["vendor/".to_owned()])
    }
}

impl Library {
    /// These folders, or single files.
    pub fn of(folders: Vec<String>) -> Self {
        Self(folders)
    }

    /// Whether a script lies in one of them.
    pub fn holds(&self, file: &str) -> bool {
        self.0.iter().any(|folder| {
            let folder = folder.trim_start_matches("./").trim_end_matches('/');
            let begins =
                |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let within = || file.match_indices('/').any(|(at, _)| begins(&file[at + 1..]));
            !folder.is_empty() && (begins(file) || !folder.starts_with('/') && within())
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
        assert!(!Library::default().holds("/srv/vendors/Loop.php"));
        assert!(!Library::default().holds("/srv/vendor.php"));
        assert!(holds("lib/mail", "/srv/lib/mail/Queue.php") && !holds("lib/mail", "/srv/lib/mailer/Queue.php"));
        assert!(holds("/usr/share/php", "/usr/share/php/Mail.php"));
        assert!(!holds("/usr/share/php", "/srv/usr/share/php/Mail.php"));
        assert!(holds("Legacy.php", "/srv/Legacy.php") && !holds("", "/srv/a.php"));
        assert!(!Library::of(Vec::new()).holds("/srv/vendor/a.php"));
    }
}
