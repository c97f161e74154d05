<?php
// A small SMTP server in many forms of process tree: php server.php FORM PORT.
// Every process keeps the working folder that it was started in, by which the tests find it again.

[, $form, $port] = $argv;

function listen(string $port)
{
    $context = stream_context_create(['socket' => ['backlog' => 511]]);
    for ($try = 0; $try < 50; $try++) {
        $listener = @stream_socket_server("tcp://127.0.0.1:$port", $code, $why, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $context);
        if ($listener) {
            return $listener;
        }
        usleep(50000);
    }
    fwrite(STDERR, "$why\n");
    exit(9);
}

function answer($client, string $line, bool &$data): bool
{
    if ($data) {
        if ($line === '.') {
            $data = false;
            fwrite($client, "250 taken\r\n");
        }
        return true;
    }
    $verb = strtoupper(substr($line, 0, 4));
    $data = $verb === 'DATA';
    fwrite($client, $data ? "354 go on\r\n" : ($verb === 'QUIT' ? "221 bye\r\n" : "250 ok\r\n"));
    return $verb !== 'QUIT';
}

// Every connection in one loop.
function serve($listener, ?callable $tick = null): void
{
    $clients = $texts = $datas = [];
    while (true) {
        $read = [$listener, ...$clients];
        $write = $except = null;
        if (@stream_select($read, $write, $except, 0, 50000) === false) {
            continue;
        }
        $tick && $tick();
        foreach ($read as $stream) {
            if ($stream === $listener) {
                $client = @stream_socket_accept($listener, 0);
                if ($client) {
                    stream_set_blocking($client, false);
                    fwrite($client, "220 faults ESMTP\r\n");
                    $clients[(int) $client] = $client;
                    $texts[(int) $client] = '';
                    $datas[(int) $client] = false;
                }
                continue;
            }
            $id = (int) $stream;
            $piece = fread($stream, 65536);
            $texts[$id] .= $piece;
            $open = $piece !== '' && $piece !== false || !feof($stream);
            while ($open && ($end = strpos($texts[$id], "\n")) !== false) {
                $line = rtrim(substr($texts[$id], 0, $end), "\r");
                $texts[$id] = substr($texts[$id], $end + 1);
                $open = answer($stream, $line, $datas[$id]);
            }
            if (!$open) {
                fclose($stream);
                unset($clients[$id], $texts[$id], $datas[$id]);
            }
        }
    }
}

// One connection, and the end.
function converse($client): void
{
    fwrite($client, "220 faults ESMTP\r\n");
    $data = false;
    while (($line = fgets($client)) !== false && answer($client, rtrim($line, "\r\n"), $data));
    fclose($client);
}

function daemonise(): void
{
    if (pcntl_fork()) {
        exit(0);
    }
    posix_setsid();
    if (pcntl_fork()) {
        exit(0);
    }
}

function workers($listener, int $count, bool $stubborn): void
{
    for ($i = 0; $i < $count; $i++) {
        if (pcntl_fork() === 0) {
            cli_set_process_title("mailer: worker $i");
            if ($stubborn) {
                pcntl_async_signals(true);
                pcntl_signal(SIGTERM, SIG_IGN);
            }
            serve($listener);
        }
    }
}

// As composer/xdebug-handler does: where Xdebug is at work, the script runs in a php without it. Older ones do so wherever
// it is loaded, and other tools tell nobody.
function restart(bool $always = false, bool $tells = true): void
{
    global $argv;
    if (getenv('FAULTS_ALLOW_XDEBUG') || !extension_loaded('xdebug') || !$always && !xdebug_info('mode')) {
        return;
    }
    $ini = tempnam(sys_get_temp_dir(), 'faults');
    $files = array_filter([php_ini_loaded_file(), ...explode(',', (string) php_ini_scanned_files())]);
    foreach (array_map('trim', $files) as $file) {
        if (!str_contains(file_get_contents($file), 'xdebug')) {
            file_put_contents($ini, file_get_contents($file) . "\n", FILE_APPEND);
        }
    }
    if ($tells) {
        putenv('FAULTS_ALLOW_XDEBUG=internal|' . phpversion('xdebug') . '|1|*|*');
    }
    putenv('FAULTS_ORIGINAL_INIS=' . php_ini_loaded_file());
    $process = proc_open([PHP_BINARY, '-n', '-c', $ini, ...$argv], [], $pipes);
    pcntl_async_signals(true);
    pcntl_signal(SIGTERM, fn () => proc_terminate($process));
    $code = proc_close($process);
    unlink($ini);
    exit($code);
}

switch ($form) {
    case 'restart':
        restart();
        serve(listen($port));
    case 'restart-always':
        restart(always: true);
        serve(listen($port));
    case 'restart-silent':
        restart(always: true, tells: false);
        serve(listen($port));
    case 'daemon':
        daemonise();
        serve(listen($port));
    case 'titled':
        daemonise();
        cli_set_process_title('mailer: master');
        serve(listen($port));
    case 'prefork':
        $listener = listen($port);
        workers($listener, 2, false);
        cli_set_process_title('mailer: master');
        while (pcntl_wait($status) !== -1);
        exit(0);
    case 'stubborn':
        // The master ends at SIGTERM; its workers, which bear titles, do not.
        $listener = listen($port);
        workers($listener, 2, true);
        pcntl_async_signals(true);
        pcntl_signal(SIGTERM, fn () => exit(0));
        while (true) {
            sleep(1);
        }
    case 'fork':
        $listener = listen($port);
        pcntl_async_signals(true);
        pcntl_signal(SIGCHLD, function () {
            while (pcntl_waitpid(-1, $status, WNOHANG) > 0);
        });
        while (true) {
            $client = @stream_socket_accept($listener, 3600);
            if ($client && pcntl_fork() === 0) {
                fclose($listener);
                converse($client);
                exit(0);
            }
        }
    case 'dropped':
        $listener = listen($port);
        if (posix_getuid() === 0) {
            posix_setgid(65534);
            posix_setuid(65534);
        }
        serve($listener);
    case 'spawner':
        // Children without environment, in sessions of their own, one after the other.
        serve(listen($port), function () {
            exec('env -i setsid sleep 300 >/dev/null 2>&1 &');
        });
    default:
        serve(listen($port));
}
