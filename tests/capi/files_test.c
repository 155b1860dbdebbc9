/* Files: sent from a path, saved into a folder, refused, cancelled, changed meanwhile, disks that are full; nothing partial. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer to_server;
static char home[128], folder[160];

/* ---- What is on the disk ---- */

static uint8_t byte_at(uint64_t i) { return (uint8_t)(i * 13 + i / 509); }

static const char *path_of(const char *where, const char *name) {
    static char paths[4][512];
    static unsigned next;
    char *out = paths[next++ % 4];
    snprintf(out, sizeof paths[0], "%s/%s", where, name);
    return out;
}

/* A file with an old time of writing, so that any later one shows. */
static const char *make_file(const char *name, uint64_t size) {
    static uint8_t block[65536];
    const char *path = path_of(home, name);
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    FILE *file = fopen(path, "w");
    if (!file) printf("Bail out! cannot create %s\n", path), exit(1);
    for (uint64_t at = 0; at < size;) {
        const size_t n = size - at < sizeof block ? (size_t)(size - at) : sizeof block;
        for (size_t i = 0; i < n; ++i) block[i] = byte_at(at + i);
        if (fwrite(block, 1, n, file) != n) printf("Bail out! cannot write %s\n", path), exit(1);
        at += n;
    }
    fclose(file);
    utimensat(AT_FDCWD, path, old, 0);
    return path;
}

static int is_file(const char *path, uint64_t size) {
    static uint8_t block[65536];
    struct stat info;
    FILE *file = fopen(path, "r");
    uint64_t at = 0;
    int good = file && fstat(fileno(file), &info) == 0 && (uint64_t)info.st_size == size;
    for (size_t n; good && (n = fread(block, 1, sizeof block, file)) > 0; at += n) {
        for (size_t i = 0; i < n; ++i) good = good && block[i] == byte_at(at + i);
    }
    if (file) fclose(file);
    return good;
}

static unsigned entries_of(const char *path) {
    unsigned count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    if (dir) closedir(dir);
    return count;
}

/* What a transfer has left is removed soon, though not before its last event where the other side has ended it. */
static int is_empty(const char *path) {
    char seen[4096];
    const int fd = inotify_init1(IN_CLOEXEC);
    struct pollfd waits = {fd, POLLIN, 0};
    inotify_add_watch(fd, path, IN_DELETE);
    while (entries_of(path) > 0 && poll(&waits, 1, DEADLINE_S * 1000) > 0 && read(fd, seen, sizeof seen) > 0) {}
    close(fd);
    return entries_of(path) == 0;
}

static void clear(const char *path) {
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir) closedir(dir);
}

/* ---- The server: saves what comes to "save", and keeps what comes to "keep" until it is asked ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    sw_save_options options;
    char name[300];
    sw_result refused; /* of the last sw_part_save */
    sw_part_info kept;
    char kept_name[NOTE_BYTES];
    unsigned messages;
} serving = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void serve(const sw_event *event, box *b) {
    (void)b;
    if (event->type != SW_EVENT_MESSAGE) return;
    const sw_event_message *message = &event->as.message;
    pthread_mutex_lock(&serving.mutex);
    for (size_t i = 0; i < message->part_count; ++i) {
        serving.kept = message->parts[i];
        note_put(serving.kept_name, serving.kept.head.name.data, serving.kept.head.name.size);
        serving.kept.head.name = text(serving.kept_name);
        if (is_text(message->route, "keep")) {
            MUST(sw_part_read(serving.kept.part, 0));
            continue;
        }
        serving.refused = sw_part_save(&message->parts[i], text(folder), &serving.options);
        /* A handle that is stale: its sender has given it up already. */
        if (serving.refused != SW_OK && serving.refused != SW_ERR_HANDLE) {
            MUST(sw_part_cancel(message->parts[i].part, 0));
        }
    }
    if (message->expects) MUST(sw_exchange_reply(message->exchange, bytes("ok"), NULL));
    ++serving.messages;
    pthread_cond_broadcast(&serving.changed);
    pthread_mutex_unlock(&serving.mutex);
}

static void save_with(const char *name, uint64_t most, uint32_t unchecked) {
    pthread_mutex_lock(&serving.mutex);
    sw_save_options_init(&serving.options);
    snprintf(serving.name, sizeof serving.name, "%s", name);
    serving.options.name = text(serving.name);
    serving.options.most_bytes = most;
    serving.options.unchecked = unchecked;
    pthread_mutex_unlock(&serving.mutex);
}

static sw_part_info kept(unsigned nth) {
    sw_part_info out;
    pthread_mutex_lock(&serving.mutex);
    while (serving.messages < nth) pthread_cond_wait(&serving.changed, &serving.mutex);
    out = serving.kept;
    pthread_mutex_unlock(&serving.mutex);
    return out;
}

/* ---- Short forms ---- */

static sw_part_head opened(const char *path, const char *name, uint64_t progress) {
    sw_part_head head;
    sw_file_options options;
    sw_file_options_init(&options);
    options.name = text(name);
    options.progress_bytes = progress;
    MUST(sw_file_open(text(path), &options, &head));
    return head;
}

static sw_exchange send_parts(const char *route, sw_part_head *heads, size_t count, sw_part *parts) {
    sw_send_options options;
    sw_exchange exchange;
    sw_send_options_init(&options);
    options.parts = heads;
    options.part_count = count;
    options.part_handles = parts;
    options.exchange = &exchange;
    MUST(sw_peer_send(to_server, text(route), no_bytes(), &options));
    return exchange;
}

static sw_part send_file(const char *route, const char *path, const char *name, uint64_t progress) {
    sw_part_head head = opened(path, name, progress);
    sw_part part;
    send_parts(route, &head, 1, &part);
    return part;
}

static int note_has_part(const note *n, const void *part) {
    const sw_part *p = (const sw_part *)part;
    return n->exchange.number == p->exchange.number && n->number == p->number;
}

static note part_done(box *b, sw_part part) {
    note out;
    memset(&out, 0, sizeof out);
    out.result = SW_ERR_SYSTEM;
    /* The exchanges of one peer have the same number at both ends, but for the lowest bit. */
    if (b == &server) part.exchange.number ^= 1;
    box_wait_match(b, SW_EVENT_PART_DONE, 1, note_has_part, &part, &out);
    return out;
}

static void forget(void) {
    box *boxes[2] = {&client, &server};
    for (int i = 0; i < 2; ++i) {
        pthread_mutex_lock(&boxes[i]->mutex);
        boxes[i]->count = 0;
        memset(boxes[i]->counts, 0, sizeof boxes[i]->counts);
        pthread_mutex_unlock(&boxes[i]->mutex);
    }
    clear(folder);
}

/* ---- Cases ---- */

static void arrives(void) {
    const uint64_t sizes[] = {0, 1, 16384, 16385, 262144, 524288, 3000001};
    char fact[96];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        note n;
        save_with("", 0, 0);
        const sw_part part = send_file("save", make_file("source", sizes[i]), "arrived", 0);
        n = part_done(&client, part);
        int good = n.result == SW_OK && n.first == sizes[i];
        n = part_done(&server, part);
        good = good && n.result == SW_OK && n.first == sizes[i] && n.size == 32;
        snprintf(fact, sizeof fact, "a file of %llu bytes is saved as it was", (unsigned long long)sizes[i]);
        tap_ok(good && is_file(path_of(folder, "arrived"), sizes[i]) && entries_of(folder) == 1, fact);
        forget();
    }
}

static void several(void) {
    sw_part_head heads[3];
    sw_part parts[3];
    save_with("", 0, 0);
    pthread_mutex_lock(&serving.mutex);
    serving.options.progress_bytes = 1000000;
    pthread_mutex_unlock(&serving.mutex);
    heads[0] = opened(make_file("one", 5000000), "", 1000000);
    heads[1] = opened(make_file("two", 100), "zwei", 0);
    heads[2] = opened(make_file("three", 0), "", 0);
    const sw_exchange exchange = send_parts("save", heads, 3, parts);
    tap_ok(box_done(&client, exchange).result == SW_OK, "an exchange with three files is done");
    for (int i = 0; i < 3; ++i) part_done(&server, parts[i]);
    tap_ok(is_file(path_of(folder, "one"), 5000000) && is_file(path_of(folder, "zwei"), 100) &&
               is_file(path_of(folder, "three"), 0) && entries_of(folder) == 3,
           "each is saved under the name that was stated for it");
    const unsigned out = box_count(&client, SW_EVENT_PART_PROGRESS), in = box_count(&server, SW_EVENT_PART_PROGRESS);
    printf("# %u and %u events of progress\n", out, in);
    tap_ok(out >= 1 && out <= 5 && in >= 1 && in <= 5, "progress is told at both ends, each million bytes at most");
    forget();
}

static void refused_names(void) {
    static const char *const names[] = {"..",
                                        ".",
                                        "a/b",
                                        "../up",
                                        "a\\b",
                                        "c:d",
                                        "a\nb",
                                        "CON",
                                        "nul",
                                        "com1.x",
                                        "trail. ",
                                        "trailing.",
                                        "\x7f",
                                        "\xff",
                                        "a\xe2\x80\xae"
                                        "b"};
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        save_with("", 0, 0);
        const sw_part part = send_file("save", make_file("source", 10), names[i], 0);
        part_done(&server, part);
        pthread_mutex_lock(&serving.mutex);
        wrong += serving.refused != SW_ERR_FILE_NAME;
        pthread_mutex_unlock(&serving.mutex);
    }
    tap_ok(wrong == 0 && entries_of(folder) == 0, "names that are no file's are refused before a byte");
    save_with("mine", 0, 0);
    const sw_part part = send_file("save", make_file("source", 10), "../up", 0);
    tap_ok(part_done(&server, part).result == SW_OK && is_file(path_of(folder, "mine"), 10),
           "such a part may be saved under a name of one's own");
    forget();
}

static void never_replaced(void) {
    note n;
    save_with("", 0, 0);
    FILE *old = fopen(path_of(folder, "taken"), "w");
    fputs("old", old);
    fclose(old);
    n = part_done(&server, send_file("save", make_file("source", 10), "taken", 0));
    struct stat info;
    stat(path_of(folder, "taken"), &info);
    tap_ok(n.result == SW_ERR_FILE_EXISTS && info.st_size == 3 && entries_of(folder) == 1,
           "what exists is not replaced");
    forget();
    if (symlink(path_of(home, "elsewhere"), path_of(folder, "link")) != 0) printf("# no symlinks here\n");
    n = part_done(&server, send_file("save", make_file("source", 10), "link", 0));
    tap_ok(n.result == SW_ERR_FILE_EXISTS && access(path_of(home, "elsewhere"), F_OK) != 0,
           "a symbolic link is not followed");
    forget();
}

static void limits(void) {
    note n;
    save_with("", 999, 0);
    sw_part part = send_file("save", make_file("source", 1000), "big", 0);
    n = part_done(&server, part);
    tap_ok(serving.refused == SW_ERR_TOO_BIG && n.result == SW_ERR_CANCELLED && n.first == 0,
           "a size beyond the limit is refused before a byte");
    forget();
    /* A stream that does not say. */
    sw_part_head head;
    sw_part_options end;
    memset(&head, 0, sizeof head);
    head.name = text("stream");
    save_with("", 999, 1);
    send_parts("save", &head, 1, &part);
    static const uint8_t block[600];
    const sw_bytes piece = {block, sizeof block};
    MUST(sw_part_write(part, piece, NULL));
    const sw_result second = sw_part_write(part, piece, NULL);
    if (second != SW_ERR_HANDLE && second != SW_ERR_CLOSED) MUST(second);
    n = part_done(&server, part);
    tap_ok(n.result == SW_ERR_TOO_BIG && entries_of(folder) == 0, "one that does not state it is cut off there");
    n = part_done(&client, part);
    tap_ok(n.result == SW_ERR_TOO_BIG, "and its sender is told why");
    forget();
    sw_part_options_init(&end);
    end.end = 1;
    for (uint32_t unchecked = 0; unchecked < 2; ++unchecked) {
        save_with("", 0, unchecked);
        send_parts("save", &head, 1, &part);
        MUST(sw_part_write(part, piece, &end));
        n = part_done(&server, part);
        if (unchecked) tap_ok(n.result == SW_OK && entries_of(folder) == 1, "... unless that is wanted");
        else tap_ok(n.result == SW_ERR_DIGEST && entries_of(folder) == 0, "what has no digest is not saved");
        forget();
    }
    uint8_t digest[SW_DIGEST_SIZE];
    sw_hasher *hasher;
    MUST(sw_hasher_create(&hasher));
    for (int i = 0; i < 6; ++i) {
        const sw_bytes some = {block, 100};
        MUST(sw_hasher_add(hasher, some));
    }
    MUST(sw_hasher_digest(hasher, digest));
    sw_hasher_free(hasher);
    CHECK_IS(sw_hasher_add(NULL, no_bytes()), SW_ERR_ARG);
    end.digest.data = digest;
    end.digest.size = sizeof digest;
    end.digest_algorithm = 1;
    save_with("", 0, 0);
    send_parts("save", &head, 1, &part);
    MUST(sw_part_write(part, piece, &end));
    tap_ok(part_done(&server, part).result == SW_OK && entries_of(folder) == 1,
           "a stream may be written with its digest, and is checked as a file is");
    forget();
    end.digest = bytes("0123456789abcdef0123456789abcdef");
    end.digest_algorithm = 1;
    save_with("", 0, 1);
    send_parts("save", &head, 1, &part);
    MUST(sw_part_write(part, piece, &end));
    n = part_done(&server, part);
    tap_ok(n.result == SW_ERR_DIGEST && entries_of(folder) == 0, "what has another digest never is");
    forget();
}

static void kinds(void) {
    static const struct {
        const char *path;
        sw_result result;
    } kinds[] = {{"folder", SW_ERR_FILE_TYPE},
                 {"fifo", SW_ERR_FILE_TYPE},
                 {"socket", SW_ERR_FILE_TYPE},
                 {"null", SW_ERR_FILE_TYPE},
                 {"link-fifo", SW_ERR_FILE_TYPE},
                 {"missing", SW_ERR_NOT_FOUND},
                 {"link", SW_OK},
                 {"sparse", SW_OK}};
    char fact[80];
    mkdir(path_of(home, "folder"), 0700);
    mkfifo(path_of(home, "fifo"), 0600);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of(home, "socket"));
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) printf("# no socket: %s\n", strerror(errno));
    make_file("regular", 10);
    if (symlink("/dev/null", path_of(home, "null")) || symlink("fifo", path_of(home, "link-fifo")) ||
        symlink("regular", path_of(home, "link"))) {
        printf("# no symlinks here\n");
    }
    make_file("sparse", 0);
    if (truncate(path_of(home, "sparse"), 300000) != 0) printf("# no sparse file\n");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        sw_part_head head;
        snprintf(fact, sizeof fact, "to open a \"%s\" gives %s", kinds[i].path, sw_result_name(kinds[i].result));
        const sw_result result = sw_file_open(text(path_of(home, kinds[i].path)), NULL, &head);
        check_result(result, kinds[i].result, fact);
        if (result == SW_OK) sw_file_close(head.file);
    }
    close(fd);
    sw_part_head head;
    save_with("", 0, 0);
    MUST(sw_file_open(text("/proc/self/status"), NULL, &head));
    sw_part part;
    send_parts("save", &head, 1, &part);
    tap_ok(part_done(&client, part).result == SW_ERR_FILE_CHANGED,
           "a file of the kernel, which hides its size, is not sent");
    part_done(&server, part);
    save_with("", 0, 0);
    snprintf(folder + strlen(home), sizeof folder - strlen(home), "/missing");
    tap_ok(part_done(&server, send_file("save", make_file("source", 10), "", 0)).result == SW_ERR_NOT_FOUND,
           "a folder that is missing is reported");
    snprintf(folder + strlen(home), sizeof folder - strlen(home), "/regular");
    tap_ok(part_done(&server, send_file("save", make_file("source", 10), "", 0)).result == SW_ERR_FILE_TYPE,
           "so is one that is a file");
    snprintf(folder + strlen(home), sizeof folder - strlen(home), "/saved");
    forget();
}

static void cancels(void) {
    note n;
    save_with("", 0, 0);
    const unsigned before = serving.messages;
    sw_part part = send_file("keep", make_file("large", 9000000), "", 0);
    sw_part_info info = kept(before + 1);
    MUST(sw_part_save(&info, text(folder), NULL));
    CHECK_IS(sw_part_save(&info, text(folder), NULL), SW_ERR_STATE);
    CHECK_IS(sw_part_read(info.part, 1), SW_ERR_STATE);
    CHECK_IS(sw_part_write(part, bytes("x"), NULL), SW_ERR_STATE);
    CHECK_OK(sw_part_cancel(info.part, 70));
    n = part_done(&client, part);
    tap_ok(n.result == SW_ERR_CANCELLED && n.code == 70, "who saves may cancel, and the sender is told the code");
    tap_ok(part_done(&server, part).result == SW_ERR_CANCELLED, "its own last event says so");
    part = send_file("keep", path_of(home, "large"), "", 0);
    info = kept(before + 2);
    CHECK_OK(sw_part_cancel(part, 71));
    n = part_done(&server, part);
    tap_ok(n.result == SW_ERR_CANCELLED && n.code == 71, "who sends may cancel");
    CHECK_IS(sw_part_save(&info, text(folder), NULL), SW_ERR_HANDLE);
    part = send_file("keep", path_of(home, "large"), "", 0);
    info = kept(before + 3);
    MUST(sw_part_read(info.part, 1));
    CHECK_IS(sw_part_save(&info, text(folder), NULL), SW_ERR_STATE);
    MUST(sw_part_cancel(info.part, 0));
    part_done(&server, part);
    sw_part_head heads[2];
    heads[0] = opened(make_file("source", 10), "", 0);
    heads[1] = heads[0];
    sw_send_options options;
    sw_part parts[2];
    sw_send_options_init(&options);
    options.parts = heads;
    options.part_count = 2;
    options.part_handles = parts;
    CHECK_IS(sw_peer_send(to_server, text("save"), no_bytes(), &options), SW_ERR_ARG);
    heads[0].size = 9;
    options.part_count = 1;
    CHECK_IS(sw_peer_send(to_server, text("save"), no_bytes(), &options), SW_ERR_ARG);
    sw_file_close(heads[0].file);
    sw_file_close(NULL);
    CHECK_IS(sw_file_open(no_text(), NULL, heads), SW_ERR_ARG);
    CHECK_IS(sw_part_save(NULL, text(folder), NULL), SW_ERR_ARG);
    CHECK_IS(sw_part_save(&info, no_text(), NULL), SW_ERR_ARG);
    forget();
}

/* The server begins to save when the file has changed already, of which some was read before. */
static void changed_meanwhile(void) {
    const unsigned runs = (unsigned)scaled(200);
    unsigned wrong = 0;
    for (unsigned run = 0; run < runs; ++run) {
        const unsigned before = serving.messages;
        const char *path = make_file("changing", 3000000);
        const sw_part part = send_file("keep", path, "", 0);
        const sw_part_info info = kept(before + 1);
        FILE *file = fopen(path, run % 3 == 1 ? "a" : "r+");
        if (run % 3 == 0) wrong += ftruncate(fileno(file), (off_t)(run * 12345 % 3000000)) != 0;
        else fputs("changed", file);
        fclose(file);
        const sw_result result = sw_part_save(&info, text(folder), NULL);
        if (result != SW_ERR_HANDLE) MUST(result); /* its sender may have seen it already */
        const note out = part_done(&client, part), in = part_done(&server, part);
        const int good = out.result == SW_ERR_FILE_CHANGED && in.result == SW_ERR_CANCELLED && is_empty(folder);
        if (!good) printf("# run %u: %s and %s\n", run, sw_result_name(out.result), sw_result_name(in.result));
        wrong += !good;
        forget();
    }
    printf("# %u runs\n", runs);
    tap_ok(wrong == 0,
           "a file that is cut, grows or is written to while it is sent is reported, and nothing is left of it");
}

/* The system lets no file grow beyond a limit, as a full disk does. */
static void full_disk(void) {
    const unsigned blocks = (unsigned)scaled(256);
    unsigned wrong = 0;
    struct rlimit all;
    const char *path = make_file("source", 1024 * 1024);
    getrlimit(RLIMIT_FSIZE, &all);
    signal(SIGXFSZ, SIG_IGN);
    save_with("", 0, 0);
    for (unsigned i = 0; i < blocks; ++i) {
        const struct rlimit limit = {4096 * (rlim_t)(i * 256 / blocks), all.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
        const sw_part part = send_file("save", path, "", 0);
        const note n = part_done(&server, part);
        const int good = n.result == SW_ERR_NO_SPACE && strncmp(n.detail, "write: ", 7) == 0 && entries_of(folder) == 0;
        if (!good) printf("# block %u: %s (%s)\n", i, sw_result_name(n.result), n.detail);
        wrong += !good;
        part_done(&client, part);
        forget();
    }
    setrlimit(RLIMIT_FSIZE, &all);
    printf("# full after each of %u blocks\n", blocks);
    tap_ok(wrong == 0, "a full disk is reported, wherever it begins, and nothing is left");
    tap_ok(part_done(&server, send_file("save", path, "", 0)).result == SW_OK, "and the session goes on");
    forget();
}

static void both_ends_close(void) {
    unsigned wrong = 0;
    const unsigned runs = (unsigned)scaled(40);
    const char *path = make_file("large", 30000000);
    for (unsigned run = 0; run < runs; ++run) {
        box from, to;
        char where[SW_ADDRESS_TEXT_SIZE];
        box_open(&to, NULL);
        box_look(&to, serve);
        MUST(sw_node_route(to.node, text("save"), NULL, NULL));
        box_listen(&to, "tcp://127.0.0.1:0", where);
        box_open(&from, NULL);
        sw_part_head head = opened(path, "", 0);
        sw_part part;
        sw_send_options options;
        sw_send_options_init(&options);
        options.parts = &head;
        options.part_count = 1;
        options.part_handles = &part;
        save_with("", 0, 0);
        pthread_mutex_lock(&serving.mutex);
        serving.options.progress_bytes = 1 + run * 100000;
        pthread_mutex_unlock(&serving.mutex);
        MUST(sw_peer_send(box_connect(&from, where), text("save"), no_bytes(), &options));
        note n;
        box_wait(&to, SW_EVENT_PART_PROGRESS, 1, &n);
        MUST(sw_node_close(run % 2 ? to.node : from.node, 1, NULL));
        MUST(sw_node_close(run % 2 ? from.node : to.node, 1, NULL));
        unsigned last = box_count(&to, SW_EVENT_PART_DONE);
        wrong += last != 1 || box_count(&from, SW_EVENT_PART_DONE) != 1;
        wrong += entries_of(folder) != 0 && !is_file(path_of(folder, "large"), 30000000);
        wrong += entries_of(folder) > 1;
        box_free(&from);
        box_free(&to);
        clear(folder);
    }
    printf("# %u runs\n", runs);
    tap_ok(wrong == 0, "when either end closes, each part has its one last event and nothing partial is left");
}

int main(void) {
    snprintf(home, sizeof home, "%s/sealwire-files-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(home)) printf("Bail out! no folder\n"), exit(1);
    snprintf(folder, sizeof folder, "%s/saved", home);
    mkdir(folder, 0700);
    box_open(&server, NULL);
    box_open(&client, NULL);
    box_look(&server, serve);
    MUST(sw_node_route(server.node, text("save"), NULL, NULL));
    MUST(sw_node_route(server.node, text("keep"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    to_server = box_connect(&client, ticket);
    arrives();
    several();
    refused_names();
    never_replaced();
    limits();
    kinds();
    cancels();
    changed_meanwhile();
    full_disk();
    box_close(&client);
    box_close(&server);
    both_ends_close();
    clear(folder);
    rmdir(folder);
    rmdir(path_of(home, "folder"));
    clear(home);
    rmdir(home);
    return tap_done();
}
