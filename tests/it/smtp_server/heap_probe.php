<?php

// Prepended to a server under test: at SIGUSR1 the size of its heap is appended to the file that HEAP_PROBE names.

pcntl_async_signals(true);
pcntl_signal(SIGUSR1, static function (): void {
    file_put_contents(getenv('HEAP_PROBE'), memory_get_usage() . "\n", FILE_APPEND);
});
