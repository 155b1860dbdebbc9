/* A million calls drawn by lot, of every function, from two threads and from callbacks, with good and bad arguments and
 * with live, stale, foreign and null handles: nothing crashes, and all that can be reached is reached. */
#include <dirent.h>

#include "random_peers.h"
#include "random_state.h"
#include "random_topics.h"
#include "support/certificates_c.h"

static test_certificates certificates;
static sw_listener tls_listener;
static unsigned long wrapped, unwrapped, raw_peers;
static char server_address[SW_ADDRESS_TEXT_SIZE];

static __thread sw_node own_node; /* whose loop thread this is */

static void unwrap(void *data, void *user) {
    (void)user;
    free(data);
    count(&unwrapped);
}

/* ---- Small things ---- */

static void plain_calls(void) {
    const sw_result any = (sw_result)below(120);
    if (strlen(sw_result_name(any)) > 0) DID(result_name);
    if (strlen(sw_result_text(any)) > 0) DID(result_text);
    if (sw_result_hint(any)) DID(result_hint);
    if (sw_error_detail()) DID(error_detail);
    if (sw_version()) DID(version);
    if (sw_abi_version() > 0) DID(abi_version);
    if (strstr(sw_build_info(), "libsodium")) DID(build_info);
}

static void identity_calls(void) {
    sw_identity *identity = NULL;
    sw_peer_id id;
    uint8_t seed[SW_SEED_SIZE] = {1};
    char out[SW_ADDRESS_TEXT_SIZE] = "", path[96];
    switch (below(10)) {
        case 0: CALL(identity_generate, percent(90) ? &identity : NULL); break;
        case 1: CALL(identity_from_seed, (sw_bytes){seed, percent(90) ? 32 : below(40)}, &identity); break;
        case 2:
            snprintf(path, sizeof path, "/tmp/sealwire-random-%ld-%u.key", (long)getpid(), below(4));
            if (CALL(identity_load, text(path), &identity) != SW_OK) {
                MUST(sw_identity_generate(&identity));
                CALL(identity_save, identity, text(path));
            } else {
                CALL(identity_save, identity, text(path));
                if (percent(30)) unlink(path);
            }
            break;
        case 3:
            SWAP(identities, identity);
            CALL(identity_seed, identity, seed);
            CALL(identity_id, identity, percent(95) ? &id : NULL);
            break;
        case 4: CALL(peer_id_parse, percent(50) ? text("not an id") : (sw_text){kBytes, 52}, &id); break;
        case 5:
            if (sw_node_id(server, &id) != SW_OK) break;  // a node that comes and goes calls back until all are closed
            CALL(peer_id_text, percent(90) ? &id : NULL, out);
            CALL(peer_id_parse, text(out), &id);
            break;
        case 6: CALL(network_generate, percent(90) ? out : NULL); break;
        case 7: CALL(network_check, percent(50) ? some_words() : text("swnet1bad")); break;
        case 8: CALL(network_from_passphrase, text("short"), out); break;
        default:
            lock();
            memcpy(out, P.tickets[below(8)], sizeof out);
            unlock();
            if (percent(10)) out[below(60)] ^= 1;
            char address[SW_ADDRESS_TEXT_SIZE];
            if (CALL(ticket_split, text(out), address, &id) == SW_OK) CALL(ticket_make, text(address), &id, out);
    }
    if (identity) SWAP(identities, identity);
    if (identity) {
        sw_identity_free(identity);
        DID(identity_free);
    }
}

static void hasher_calls(void) {
    sw_hasher *hasher = NULL;
    uint8_t digest[SW_DIGEST_SIZE];
    CALL(hasher_create, percent(98) ? &hasher : NULL);
    CALL(hasher_add, hasher, a_body());
    CALL(hasher_digest, hasher, percent(98) ? digest : NULL);
    sw_hasher_free(hasher);
    DID(hasher_free);
}

static void message_calls(void) {
    if (percent(5)) {
        hasher_calls();
        return;
    }
    sw_message *message = NULL;
    if (percent(50)) {
        CALL(message_create, percent(98) ? below(3000) : SIZE_MAX - below(9), percent(98) ? &message : NULL);
    } else {
        void *data = malloc(100);
        memset(data, 7, 100);
        if (CALL(message_wrap, data, percent(98) ? 100 : SIZE_MAX, unwrap, NULL, &message) == SW_OK) count(&wrapped);
        else free(data);
    }
    if (message) {
        if (sw_message_size(message) < 3001) DID(message_size);
        if (sw_message_data(message)) DID(message_data);
        memset(sw_message_data(message), 1, sw_message_size(message));
        sw_message *again = sw_message_retain(message);
        if (again) DID(message_retain);
        sw_message_release(again);
        SWAP(messages, message);
    }
    if (message) {
        sw_message_release(message);
        DID(message_release);
    }
}

/* ---- Messages and exchanges ---- */

static char files[64];

/* Opens a file, at most times; then the head is its. */
static void a_file(sw_part_head *head) {
    sw_file_options options;
    sw_file_options_init(&options);
    DID(file_options_init);
    options.size = a_size(sizeof options);
    options.name = percent(30) ? text("a file") : no_text();
    options.type = percent(98) ? below(5) : (uint32_t)lot();
    options.progress_bytes = below(3);
    static const char *const kPaths[] = {"/proc/self/exe", "/dev/null", "/missing", "/", ""};
    const sw_text path = text(kPaths[percent(70) ? 0 : below(5)]);
    CALL(file_open, path, percent(70) ? &options : NULL, percent(98) ? head : NULL);
}

static void save(const sw_part_info *part) {
    static const char *const kNames_[] = {"a", "b", "c", "d", "e", "f", "g", "h", "..", "x/y"};
    sw_save_options options;
    sw_save_options_init(&options);
    DID(save_options_init);
    options.size = a_size(sizeof options);
    options.unchecked = percent(30);
    if (percent(90)) options.name = text(kNames_[below(10)]);
    options.most_bytes = percent(50) ? below(10000) : 0;
    options.progress_bytes = 1;
    options.mode = percent(98) ? below(01000) : (uint32_t)lot();
    CALL(part_save, percent(98) ? part : NULL, percent(95) ? text(files) : text(percent(50) ? "/missing" : "/dev/null"),
         percent(80) ? &options : NULL);
}

/* Of a message; how many it has. */
static size_t some_parts(sw_part_head heads[4]) {
    const size_t count = percent(80) ? 0 : 1 + below(4);
    memset(heads, 0, 4 * sizeof *heads);
    for (size_t i = 0; i < count; ++i) {
        heads[i].name = text("a part");
        heads[i].kind = percent(98) ? below(2) : (uint32_t)lot();
        heads[i].size_known = percent(30);
        heads[i].size = below(5000);
        if (percent(20)) a_file(&heads[i]);
    }
    return count;
}

/* After the call: were they taken? `parts` was written when it saw them. */
static void after_parts(const sw_part_head *heads, size_t count_, const sw_part *parts) {
    const int taken = parts[0].exchange.peer.value != 0;
    for (size_t i = 0; i < count_ && !taken; ++i) {
        if (!heads[i].file) continue;
        sw_file_close(heads[i].file);
        DID(file_close);
    }
    if (taken) PUT(parts_out, parts[below(4)]);
}

static void part_calls(void) {
    sw_part_options options;
    sw_message *message = NULL;
    sw_part part;
    const int out = percent(60);
    if (out) GET(parts_out, part);
    else GET(parts_in, part);
    if (percent(10)) part.exchange.peer.value = spoil(part.exchange.peer.value);
    if (percent(5)) part.number = lot() >> below(60);
    sw_part_options_init(&options);
    DID(part_options_init);
    options.size = a_size(sizeof options);
    options.end = percent(30);
    if (percent(10)) options.digest = (sw_bytes){kBytes, below(70)};
    switch (below(percent(90) ? 2 : 3)) {
        case 0:
            if (percent(10)) SWAP(messages, message);
            options.message = message;
            const sw_result result = CALL(part_write, part, message ? no_bytes() : a_body(), &options);
            if (message && (result != SW_OK || options.size < offsetof(sw_part_options, message) + sizeof message)) {
                sw_message_release(message);
                DID(message_release);
            }
            break;
        case 1: CALL(part_read, part, percent(50) ? SW_EVERYTHING : below(10000)); break;
        default: CALL(part_cancel, part, a_code());
    }
}

/* What a message carries beside its body, now and then wrong. */
static void some_extras(const sw_pair **metadata, size_t *count, sw_bytes *trace) {
    static const sw_pair kPairs[] = {{{"a", 1}, {"b", 1}}, {{kBytes, 200}, {kBytes, 900}}, {{NULL, 0}, {"x", 1}}};
    if (percent(70)) return;
    *metadata = kPairs + (percent(95) ? 0 : 1);
    *count = 1 + below(2);
    if (percent(50)) *trace = (sw_bytes){kBytes, percent(98) ? SW_TRACE_CONTEXT_SIZE : below(40)};
}

/* Out of the pool, so that nobody else frees it; mostly none. */
static sw_draft *take_draft(void) {
    sw_draft *draft = NULL;
    if (percent(20)) SWAP(drafts, draft);
    if (draft || percent(95)) return draft;
    sw_draft_options options;
    sw_bytes none = {NULL, 0};
    sw_draft_options_init(&options);
    DID(draft_options_init);
    options.size = a_size(sizeof options);
    options.type = percent(98) ? below(5) : (uint32_t)lot();
    some_extras(&options.metadata, &options.metadata_count, &none);
    CALL(draft_create, a_node(), a_route(), percent(80) ? &options : NULL, percent(98) ? &draft : NULL);
    return draft;
}

static void put_draft(sw_draft *draft) {
    if (draft) SWAP(drafts, draft);
    if (!draft) return;
    sw_draft_free(draft);
    DID(draft_free);
}

static void to_all(void) {
    sw_draft *draft = take_draft();
    a_broadcast(draft);
    put_draft(draft);
}

static void a_send(sw_peer peer) {
    sw_send_options options;
    sw_part_head heads[4];
    sw_part parts[4] = {{{{0}, 0}, 0}};
    uint64_t receipt;
    sw_message *message = NULL;
    sw_send_options_init(&options);
    DID(send_options_init);
    options.size = a_size(sizeof options);
    options.type = percent(98) ? below(5) : (uint32_t)lot();
    options.receipt = percent(30) ? below(4) : 0;
    options.receipt_number = percent(50) ? &receipt : NULL;
    options.parts = heads;
    const size_t count_ = some_parts(heads);
    options.part_count = count_;
    options.part_handles = percent(98) ? parts : NULL;
    some_extras(&options.metadata, &options.metadata_count, &options.trace_context);
    if (percent(10)) options.route = below(6);
    if (percent(10)) SWAP(messages, message);
    options.message = message;
    sw_draft *draft = take_draft();
    options.draft = draft;
    if (draft && percent(90)) options.route = options.type = 0;
    const sw_text route = options.route || (draft && percent(90)) ? no_text() : a_route();
    const sw_bytes body = message ? no_bytes() : a_body();
    const sw_result result = CALL(peer_send, peer, route, body, percent(70) || message || draft ? &options : NULL);
    after_parts(heads, count_, parts);
    put_draft(draft);
    if (message && (result != SW_OK || options.size < sizeof options)) {
        /* It may not have been seen by an "older caller": then it is still ours, as on failure. */
        if (result != SW_OK || options.size < offsetof(sw_send_options, message) + sizeof message) {
            sw_message_release(message);
            DID(message_release);
        }
    }
}

static void a_request(sw_peer peer) {
    sw_request_options options;
    sw_exchange exchange;
    sw_part_head heads[4];
    sw_part parts[4] = {{{{0}, 0}, 0}};
    sw_request_options_init(&options);
    DID(request_options_init);
    options.size = a_size(sizeof options);
    options.type = below(5);
    options.expects = below(3);
    options.timeout_ms = percent(30) ? 1 + below(50) : 0;
    options.converse = percent(50);
    options.total_ms = percent(10) ? 1 + below(50) : 0;
    if (percent(20)) {
        options.attempts = below(6);
        options.backoff_ms = percent(50) ? SW_NEVER : below(10);
        options.backoff_max_ms = percent(80) ? 0 : below(20);
    }
    some_extras(&options.metadata, &options.metadata_count, &options.trace_context);
    options.user = &P;
    options.parts = heads;
    const size_t count_ = some_parts(heads);
    options.part_count = count_;
    options.part_handles = parts;
    sw_draft *draft = take_draft();
    options.draft = draft;
    if (draft && percent(90)) options.type = 0;
    const sw_text route = draft && percent(90) ? no_text() : a_route();
    sw_exchange *out = percent(95) ? &exchange : NULL;
    if (CALL(peer_request, peer, route, a_body(), percent(80) || draft ? &options : NULL, out) == SW_OK && out) {
        PUT(own, exchange);
    }
    after_parts(heads, count_, parts);
    put_draft(draft);
}

static void answer(sw_exchange exchange) {
    sw_send_options options;
    sw_part_head heads[4];
    sw_part parts[4] = {{{{0}, 0}, 0}};
    sw_send_options_init(&options);
    options.more = percent(20);
    options.receipt = percent(20) ? below(4) : 0;
    sw_draft *draft = percent(5) ? take_draft() : NULL;
    options.draft = draft;
    options.parts = heads;
    const size_t count_ = some_parts(heads);
    options.part_count = count_;
    options.part_handles = parts;
    switch (below(7)) {
        case 0:
        case 1: CALL(exchange_reply, exchange, a_body(), percent(60) ? &options : NULL); break;
        case 2: CALL(exchange_status, exchange, percent(10) ? SW_CODE_HANDLER_FAILED : a_code(), some_words()); break;
        case 3: CALL(exchange_cancel, exchange, a_code()); break;
        case 4: {
            sw_status_options with;
            sw_status_options_init(&with);
            with.details = a_body();
            with.details_type = below(6);
            CALL(exchange_status_with, exchange, a_code(), some_words(), percent(80) ? &with : NULL);
            break;
        }
        default: CALL(exchange_set_user, exchange, &P);
    }
    after_parts(heads, count_, parts);
    put_draft(draft);
}

static void look_up(sw_exchange exchange) {
    uint8_t uuid[16];
    sw_running running;
    memset(&running, 0, sizeof running);
    running.size = a_size(sizeof running);
    switch (below(3)) {
        case 0: CALL(exchange_uuid, exchange, below(2), below(3), percent(98) ? uuid : NULL); break;
        case 1: CALL(exchange_running, exchange); break;
        default: CALL(peer_running, exchange.peer, percent(98) ? &running : NULL);
    }
}

/* Asks in either's exchanges, answers what was asked. */
static void talk(void) {
    sw_send_options options;
    sw_exchange exchange;
    sw_question question, back;
    const unsigned kind = below(10);
    sw_send_options_init(&options);
    options.size = a_size(sizeof options);
    options.type = percent(98) ? below(5) : (uint32_t)lot();
    some_extras(&options.metadata, &options.metadata_count, &options.trace_context);
    if (kind < 5) {
        if (percent(50)) GET(incoming, exchange);
        else GET(own, exchange);
        CALL(exchange_ask, exchange, a_body(), percent(50) ? &options : NULL, percent(98) ? &question : NULL);
        return;
    }
    GET(questions, question);
    if (percent(5)) question.exchange.peer.value = spoil(question.exchange.peer.value);
    if (percent(5)) question.number = lot() >> below(60);
    if (kind < 8) CALL(question_answer, question, a_body(), percent(50) ? &options : NULL, percent(50) ? &back : NULL);
    else CALL(question_status, question, a_code(), some_words());
}

static void change_deadlines(sw_exchange exchange) {
    sw_deadlines deadlines;
    sw_deadlines_init(&deadlines);
    DID(deadlines_init);
    deadlines.size = a_size(sizeof deadlines);
    deadlines.next_ms = percent(50) ? 0 : percent(80) ? below(100) : SW_NEVER;
    deadlines.total_ms = percent(50) ? 0 : percent(80) ? below(100) : SW_NEVER;
    deadlines.clock = percent(95) ? below(3) : (uint32_t)lot();
    CALL(exchange_set_deadlines, exchange, percent(98) ? &deadlines : NULL);
}

static void exchange_calls(void) {
    sw_exchange exchange;
    if (percent(70)) GET(incoming, exchange);
    else GET(own, exchange);
    if (percent(10)) exchange.peer.value = spoil(exchange.peer.value);
    if (percent(5)) exchange.number = lot();
    if (percent(10)) change_deadlines(exchange);
    else if (percent(15)) talk();
    else if (percent(5)) look_up(exchange);
    else answer(exchange);
}

/* ---- Peers, listeners, nodes ---- */

/* Live ones are bounded by the pools: what loses its place is closed. */
static int calm = 1; /* while stall() needs its peer: nothing else is called, and none is closed */
static int is_calm(void) { return __atomic_load_n(&calm, __ATOMIC_SEQ_CST); }

static void keep_peer(sw_peer peer) {
    lock();
    sw_peer *place = &P.peers[below(POOL)];
    const sw_peer old = *place;
    *place = peer;
    unlock();
    if (old.value && old.value != peer.value && percent(90) && !is_calm())
        CALL(peer_close, old, a_code(), no_text(), 1 + below(100));
}

static void keep_listener(sw_listener listener) {
    lock();
    sw_listener *place = &P.listeners[below(16)];
    const sw_listener old = *place;
    *place = listener;
    unlock();
    if (old.value) CALL(listener_close, old);
}

static sw_tls_options a_tls(void) {
    sw_tls_options tls;
    sw_tls_options_init(&tls);
    DID(tls_options_init);
    tls.size = a_size(sizeof tls);
    tls.ca = text(certificates.ca);
    tls.certificate = text(certificates.server);
    tls.key = text(percent(95) ? certificates.server_key : certificates.client_key);
    tls.clients = percent(95) ? below(3) : (uint32_t)lot();
    tls.min_version = percent(90) ? 0 : below(20);
    return tls;
}

static void a_connect(sw_node node) {
    sw_connect_options options;
    sw_tls_options tls;
    sw_peer peer;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_connect_options_init(&options);
    DID(connect_options_init);
    options.size = a_size(sizeof options);
    options.timeout_ms = percent(30) ? 1 + below(30) : percent(50) ? 200 + below(2000) : 0;
    options.data = (sw_bytes){kBytes, percent(95) ? below(2000) : below(100000)};
    options.data_on_demand = percent(60);
    options.channel = a_channel(20, &options.shs_network);
    const int shs = options.channel == SW_CHANNEL_SHS1;
    if (shs && percent(95)) options.data.size = options.data_on_demand = 0;
    lock();
    memcpy(ticket, shs && percent(90) ? P.shs_tickets[below(2)] : P.tickets[below(8)], sizeof ticket);
    unlock();
    if (percent(10)) snprintf(ticket, sizeof ticket, "tcp://127.0.0.1:%u#nonsense", below(70000));
    tls = a_tls();
    options.tls = strncmp(ticket, "tls:", 4) == 0 || percent(2) ? &tls : NULL;
    if (CALL(node_connect, node, text(ticket), percent(80) ? &options : NULL, percent(98) ? &peer : NULL) == SW_OK) {
        keep_peer(peer);
    }
}

static void peer_calls(void) {
    sw_peer_id id;
    sw_peer peer;
    switch (below(12)) {
        case 0: a_connect(a_node()); break;
        case 1:
        case 2:
            GET(asking, peer);
            if (percent(10)) CALL(peer_hello, a_peer(), (sw_bytes){kBytes, below(percent(95) ? 2000 : 100000)});
            if (percent(60)) CALL(peer_accept, peer, (sw_bytes){kBytes, below(percent(95) ? 2000 : 100000)});
            else CALL(peer_reject, peer, a_code(), some_words());
            break;
        case 3:
            if (percent(20)) CALL(peer_close, a_peer(), a_code(), some_words(), below(50));
            break;
        case 4:
            if (percent(10)) CALL(peer_move, a_peer(), percent(70) ? no_text() : some_words());
            CALL(peer_ping, a_peer(), lot() >> below(4));
            break;
        case 5:
            if (percent(50)) a_find();
            else CALL(peer_get_id, a_peer(), percent(98) ? &id : NULL);
            break;
        case 6:  // mostly undone at once: what waits would keep all else from happening
            if (percent(20)) CALL(peer_pause, a_peer());
            CALL(peer_resume, a_peer(), percent(30) ? below(5) : SW_EVERYTHING);
            break;
        case 7:
            if (percent(20)) CALL(node_pause, a_node(), a_route());
            CALL(node_resume, a_node(), a_route(), percent(30) ? below(5) : SW_EVERYTHING);
            break;
        default: CALL(peer_set_user, a_peer(), &P);
    }
}

/* Two ends, which the callbacks of their events carry to each other. */
static void two_pipes(void) {
    sw_pipe_options options;
    sw_connect_options connect;
    sw_peer peer;
    sw_peer_id id;
    sw_pipe ends[2] = {{0}, {0}};
    sw_pipe_options_init(&options);
    sw_connect_options_init(&connect);
    DID(pipe_options_init);
    options.size = a_size(sizeof options);
    options.buffer_bytes = percent(50) ? 0 : percent(98) ? 1 + below(5000) : (uint32_t)lot();
    options.address = percent(95) ? text("pipe:random") : (sw_text){kBytes, below(400)};
    connect.timeout_ms = 500;
    const sw_node accepting = a_node();
    if (sw_node_id(accepting, &id) != SW_OK) return;
    lock();
    const unsigned at = below(16);
    const sw_pipe old = P.pipes[at][0];
    unlock();
    if (old.value) CALL(pipe_fail, old, percent(90) ? no_text() : some_words());
    if (CALL(node_accept_pipe, accepting, percent(80) ? &options : NULL, percent(98) ? &ends[1] : NULL) != SW_OK)
        return;
    if (CALL(node_connect_pipe, a_node(), percent(98) ? &id : NULL, percent(80) ? &options : NULL,
             percent(50) ? &connect : NULL, &ends[0], &peer) == SW_OK) {
        keep_peer(peer);
    }
    lock();
    P.pipes[at][0] = ends[0];
    P.pipes[at][1] = ends[1];
    unlock();
    if (percent(40)) CALL(pipe_end, ends[1]);  // others are mostly over when they are ended
}

static sw_pipe a_pipe(sw_pipe *other) {
    lock();
    const unsigned at = below(16), side = below(2);
    const sw_pipe pipe = P.pipes[at][side];
    *other = P.pipes[at][1 - side];
    unlock();
    return (sw_pipe){spoil(pipe.value)};
}

static void carry(sw_pipe pipe, sw_pipe other) {
    static __thread char room[20000];
    size_t size = 0;
    while (CALL(pipe_take, pipe, room, sizeof room, &size) == SW_OK && size > 0) {
        while (CALL(pipe_give, other, (sw_bytes){room, size}) == SW_ERR_AGAIN && percent(50)) {}
    }
}

static void pipe_calls(void) {
    sw_pipe other;
    size_t size;
    char room[100];
    const sw_pipe pipe = a_pipe(&other);
    switch (below(40)) {
        case 0: CALL(pipe_give, pipe, a_body()); break;
        case 1: CALL(pipe_take, pipe, percent(90) ? room : NULL, below(100), percent(98) ? &size : NULL); break;
        case 2: CALL(pipe_end, pipe); break;
        case 3: CALL(pipe_fail, pipe, some_words()); break;
        case 4: two_pipes(); break;
        default: carry(pipe, other);
    }
}

static void limits_calls(void) {
    static const char *const kRanges[] = {"::1", "10.0.0.0/8", "127.0.0.0/8", "10.0.0.1/8", "x"};
    const sw_text ranges[] = {text(kRanges[below(percent(90) ? 2 : 5)]), text("192.0.2.1")};
    sw_limits *limits = NULL;
    sw_limits_counts counts = {.size = a_size(sizeof counts)};
    sw_limits_options options;
    sw_limits_options_init(&options);
    DID(limits_options_init);
    options.size = a_size(sizeof options);
    options.max_connections = below(5);
    if (CALL(limits_create, percent(80) ? &options : NULL, percent(95) ? &limits : NULL) == SW_OK) {
        CALL(limits_set, limits, &options);
        CALL(limits_get_counts, percent(95) ? limits : NULL, &counts);
        sw_limits_free(limits);
        DID(limits_free);
    }
    CALL(listener_set_addresses, a_listener(), NULL, 0, percent(95) ? ranges : NULL, below(3));
    CALL(listener_set_addresses, a_listener(), NULL, 0, NULL, 0);
}

static void listener_calls(void) {
    const char *const urls[] = {"tcp://127.0.0.1:0",        "tcp://127.0.0.1:0", "tcp://[::1]:0", "tcp://127.0.0.1:1x",
                                "unix:///no/such/folder/x", "ftp://x",           server_address};
    sw_listen_options options;
    sw_listener listener;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_listen_options_init(&options);
    DID(listen_options_init);
    options.size = a_size(sizeof options);
    options.backlog = percent(90) ? below(100) : (uint32_t)lot();
    options.channel = a_channel(10, &options.shs_network);
    if (percent(20)) limits_calls();
    switch (below(5)) {
        case 0:
            if (CALL(node_listen, a_node(), text(urls[below(7)]), &options, percent(98) ? &listener : NULL) == SW_OK) {
                keep_listener(listener);
            }
            break;
        case 1:
            if (CALL(listener_ticket, a_listener(), ticket) == SW_OK) {
                lock();
                memcpy(P.tickets[2 + below(6)], ticket, sizeof ticket);
                unlock();
            }
            break;
        case 2: CALL(listener_close, a_listener()); break;
        case 3: {
            const sw_tls_options tls = a_tls();
            CALL(listener_set_tls, percent(50) ? tls_listener : a_listener(), percent(98) ? &tls : NULL);
            break;
        }
        default: CALL(listener_ticket, a_listener(), percent(98) ? ticket : NULL);
    }
}

static void a_callback(const sw_event *event, void *user);

static void node_calls(int in_callback) {
    sw_node_options options;
    sw_peer_id ids[4];
    sw_node node;
    sw_route route;
    int fd;
    memset(ids, 1, sizeof ids);
    switch (below(200)) {
        case 0:
            sw_node_options_init(&options);
            DID(node_options_init);
            options.size = a_size(sizeof options);
            options.access = below(percent(90) ? 3 : 9);
            options.on_event = percent(50) ? a_callback : NULL;
            options.log = 1;
            options.exchange_slots = percent(90) ? 0 : below(40);
            options.topics_per_peer = percent(90) ? 0 : below(3) * 1024 * 1024;
            options.ask_allowed = percent(20);
            options.hub = percent(20);
            options.hubs = percent(50) ? ids : NULL;
            options.hubs_count = percent(50) ? 0 : below(4);
            options.application_data_bytes = percent(90) ? 0 : below(70000);
            options.accept_data = (sw_bytes){kBytes, percent(90) ? below(2000) : below(70000)};
            if (percent(20)) options.network = text("another network");
            lock();
            const unsigned at = below(4);
            node = P.nodes[at];
            P.nodes[at].value = 0;
            unlock();
            if (node.value) CALL(node_close, node, 20 + below(30), NULL);
            if (CALL(node_open, percent(90) ? &options : NULL, &node) == SW_OK) {
                lock();
                sw_node old = P.nodes[at];
                P.nodes[at] = node;
                unlock();
                if (old.value) CALL(node_shutdown, old, 10);
            }
            break;
        case 1: CALL(node_shutdown, a_passing_node(), 1 + below(30)); break;
        case 2: {
            sw_close_report report = {.size = a_size(sizeof report)};
            CALL(node_close, in_callback && percent(50) ? own_node : a_passing_node(), 20 + below(20), &report);
            break;
        }
        case 3: CALL(node_set_allowed, a_node(), percent(90) ? ids : NULL, below(4)); break;
        case 4: CALL(node_route, a_node(), a_route(), percent(60) ? a_callback : NULL, NULL); break;
        case 5:
            node = a_node();
            if (percent(50)) CALL(node_route, node, text("passing"), NULL, NULL);
            CALL(node_unroute, node, percent(10) ? text("fail") : text("passing"));
            break;
        case 6: CALL(node_wait, percent(60) ? queued : a_node(), below(2)); break;
        default:
            switch (below(3)) {
                case 0: CALL(node_id, a_node(), percent(98) ? ids : NULL); break;
                case 1: CALL(node_intern, a_node(), a_route(), percent(98) ? &route : NULL); break;
                default: CALL(node_fd, percent(80) ? queued : a_node(), percent(98) ? &fd : NULL);
            }
    }
}

/* ---- Events ---- */

static void outcome(sw_result result) {
    if ((int)result >= 0 && (int)result < RESULTS) count(&results[result]);
}

static void keep_parts(const sw_event_message *message) {
    for (size_t i = 0; i < message->part_count; ++i) {
        const sw_part part = message->parts[i].part;
        PUT(parts_in, part);
        if (percent(30)) save(&message->parts[i]);
        else if (percent(60)) CALL(part_read, part, SW_EVERYTHING);
        else if (percent(50)) CALL(part_cancel, part, a_code());
    }
}

static void look_at(const sw_event *event) {
    if (event->type < EVENTS) count(&events[event->type]);
    switch (event->type) {
        case SW_EVENT_PEER_ASKS: PUT(asking, event->peer); break;
        case SW_EVENT_PEER_CONNECTED:
            keep_peer(event->peer);
            if (event->as.connected.channel != SW_CHANNEL_SHS1) break;
            count(&raw_peers);
            PUT(parts_out, event->as.connected.stream_out);
            PUT(parts_in, event->as.connected.stream_in);
            PUT(own, event->as.connected.stream_out.exchange);
            break;
        case SW_EVENT_REPLY: keep_parts(&event->as.message); break;
        case SW_EVENT_QUESTION:
            keep_parts(&event->as.message);
            PUT(questions, event->as.message.question);
            break;
        case SW_EVENT_ANSWER:
            outcome(event->as.answer.result);
            if (event->as.answer.asks.exchange.peer.value) PUT(questions, event->as.answer.asks);
            break;
        case SW_EVENT_PART_DONE: outcome(event->as.part_done.result); break;
        case SW_EVENT_MESSAGE:
            keep_parts(&event->as.message);
            if (event->as.message.expects) PUT(incoming, event->as.message.exchange);
            break;
        case SW_EVENT_LISTENER_CLOSED:
        case SW_EVENT_PEER_CLOSED:
            outcome(event->as.closed.result);
            forget_peer(event->peer);
            break;
        case SW_EVENT_PIPE_OUTPUT:
        case SW_EVENT_PIPE_ROOM: {
            sw_pipe pipe = event->as.pipe.pipe, other = {0};
            lock();
            for (unsigned i = 0; i < 32; ++i) {
                if (P.pipes[i / 2][i % 2].value == pipe.value) other = P.pipes[i / 2][1 - i % 2];
            }
            unlock();
            if (event->type == SW_EVENT_PIPE_OUTPUT) carry(pipe, other);
            else carry(other, pipe);
            break;
        }
        case SW_EVENT_PIPE_CLOSED: outcome(event->as.pipe_closed.result); break;
        case SW_EVENT_DONE: outcome(event->as.done.result); break;
        case SW_EVENT_RECEIPT: outcome(event->as.receipt.result); break;
        case SW_EVENT_LOG: outcome(event->as.log.result); break;
        case SW_EVENT_TOPIC_REFUSED:
        case SW_EVENT_TOPIC_JOINED: outcome(event->as.topic.result); break;
        case SW_EVENT_TOPIC_LEFT: forget_topic(event->as.topic.topic); break;
        case SW_EVENT_TOPIC_ASKS:
            CALL(node_decide_topic, event->node, event->as.topic.name, event->peer, below(4));
            break;
        default: break;
    }
}

static void event_calls(void) {
    const sw_event *event = NULL, *fetched[8];
    size_t got = 0;
    if (percent(60)) {
        if (CALL(node_next_events, percent(95) ? queued : a_node(), fetched, below(8), percent(98) ? &got : NULL) !=
            SW_OK) {
            return;
        }
        for (size_t i = 0; i < got; ++i) {
            look_at(fetched[i]);
            event = fetched[i];
            if (percent(30)) SWAP(held, event);
            if (!event) continue;
            sw_event_release(event);
            DID(event_release);
        }
        return;
    }
    SWAP(held, event);
    if (!event) return;
    const sw_event *kept = NULL;
    CALL(event_retain, event, percent(90) ? &kept : NULL);
    if (!kept) CALL(event_hold, event, &kept);
    sw_event_release(event);
    DID(event_release);
    if (kept) SWAP(held, kept);
    if (kept) sw_event_release(kept);
}

static void any_call(int in_callback) {
    const unsigned kind = below(100);
    if (kind < 26) percent(2) ? to_all() : a_send(a_peer());
    else if (kind < 30) part_calls();
    else if (kind < 45) a_request(a_peer());
    else if (kind < 60) exchange_calls();
    else if (kind < 70) peer_calls();
    else if (kind < 80) event_calls();
    else if (kind < 86) message_calls();
    else if (kind < 92) node_calls(in_callback);
    else if (kind < 94) identity_calls();
    else if (kind < 95) listener_calls();
    else if (kind < 96) pipe_calls();
    else if (kind < 98) topic_calls();
    else plain_calls();
}

static void a_callback(const sw_event *event, void *user) {
    (void)user;
    own_node = event->node;
    look_at(event);
    if (is_calm()) return;
    if (event->type == SW_EVENT_QUESTION && percent(60)) {
        const sw_question question = event->as.message.question;
        if (percent(70)) CALL(question_answer, question, event->as.message.body, NULL, NULL);
        else CALL(question_status, question, a_code(), some_words());
    }
    if (event->type == SW_EVENT_MESSAGE && !event->as.message.last && percent(50)) {
        sw_question question;
        CALL(exchange_ask, event->as.message.exchange, event->as.message.body, NULL, &question);
    }
    if (event->type == SW_EVENT_MESSAGE && event->as.message.expects && percent(70)) answer(event->as.message.exchange);
    if (event->type == SW_EVENT_PEER_PROVED && percent(90)) CALL(peer_hello, event->peer, no_bytes());
    if (event->type == SW_EVENT_PEER_ASKS && percent(70)) CALL(peer_accept, event->peer, no_bytes());
    if (below(1000) == 0) CALL(node_close, event->node, 1, NULL);
    if (percent(1)) {
        const sw_event *kept = NULL;
        if (percent(50) ? CALL(event_retain, event, &kept) == SW_OK : CALL(event_hold, event, &kept) == SW_OK)
            SWAP(held, kept);
        if (kept) sw_event_release(kept);
    }
    if (event->type != SW_EVENT_LOG && percent(40)) any_call(1);
}

#define ALL 1000000ul
static unsigned long wanted;

static void *caller(void *argument) {
    (void)argument;
    while (__atomic_load_n(&total, __ATOMIC_RELAXED) < wanted) any_call(0);
    return NULL;
}

/* ---- What has to be reached ---- */

/* Codes that random calls cannot reach, and the test that does. */
static const struct {
    sw_result result;
    const char *test;
} kElsewhere[] = {
    {SW_ERR_FORK, "tests/capi/end_test.c"},
    {SW_ERR_NO_MEMORY, "tests/capi/limits_test.c"},
    {SW_ERR_DESCRIPTORS, "tests/capi/limits_test.c"},
    {SW_ERR_NO_SPACE, "tests/capi/files_test.c"},
    {SW_ERR_IO, "tests/file/saved_file_test.cpp"},
    {SW_ERR_FILE_CHANGED, "tests/capi/files_test.c"},
    {SW_ERR_DIGEST, "tests/capi/files_test.c"},
    {SW_ERR_SYSTEM, "tests/transport/socket_test.cpp"},
    {SW_ERR_PERMISSION, "tests/transport/socket_test.cpp"},
    {SW_ERR_NAME, "tests/capi/access_test.c"},
    {SW_ERR_UNREACHABLE, "tests/transport/socket_test.cpp"},
    {SW_ERR_CONNECT_TIMEOUT, "tests/capi/access_test.c"},
    {SW_ERR_TOO_MANY, "tests/capi/limits_test.c"},
    {SW_ERR_LIMIT, "tests/protocol/connection_test.cpp"},
    {SW_ERR_PEER_LOST, "tests/capi/lost_test.c"},
    {SW_ERR_REPLACED, "tests/capi/sessions_test.c"},
    {SW_ERR_PROTOCOL, "tests/protocol/inbox_test.cpp"},
    {SW_ERR_FLOW, "tests/protocol/inbox_flow_test.cpp"},
    {SW_ERR_RECORD, "tests/capi/lost_test.c"},
    {SW_ERR_WS_UPGRADE, "tests/transport/http_test.cpp"},
    {SW_ERR_WS_REFUSED, "tests/transport/http_test.cpp"},
    {SW_ERR_WS_PROTOCOL, "tests/transport/http_test.cpp"},
    {SW_ERR_SILENT, "tests/capi/resume_test.c"},
    {SW_ERR_LEASE, "tests/capi/resume_test.c"},
    {SW_ERR_SLOW, "tests/capi/topics_test.c"},
    {SW_ERR_UNSUPPORTED, "tests/protocol/inbox_test.cpp"},
    {SW_ERR_TLS_CONFIG, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_HANDSHAKE, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_PLAIN, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_VERSION, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_EXPIRED, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_NOT_YET, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_HOST, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_ADDRESS, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_SELF_SIGNED, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_UNKNOWN_CA, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_NOT_CA, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_USAGE, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_WEAK, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_REVOKED, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_CLIENT_CERTIFICATE, "tests/transport/tls_test.cpp"},
    {SW_ERR_TLS_REFUSED, "tests/transport/tls_test.cpp"},
};

static const char *elsewhere(sw_result result) {
    for (unsigned i = 0; i < sizeof kElsewhere / sizeof *kElsewhere; ++i) {
        if (kElsewhere[i].result == result) return kElsewhere[i].test;
    }
    return NULL;
}

static void check_reached(void) {
    unsigned long good = 0;
    unsigned missed = 0;
    for (int f = 0; f < F_COUNT; ++f) {
        printf("# %-28s %8lu calls, %8lu succeed\n", kNames[f], count_of(&calls[f]), count_of(&successes[f]));
        good += count_of(&successes[f]);
        missed += count_of(&successes[f]) == 0;
    }
    const int enough = wanted >= ALL; /* some come by lot, and only in a long run for certain */
    if (enough) tap_ok(missed == 0, "each function is called with success");
    const unsigned long all = count_of(&total), safe = count_of(&sure);
    good -= safe;
    printf("# %lu calls, %.1f %% succeed; and %lu that cannot fail\n", all, 100.0 * (double)good / (double)all, safe);
    tap_ok(all >= wanted && good * 10 >= all * 3, "at least 30 % of all calls succeed");
    missed = 0;
    for (int e = SW_EVENT_LISTENING; e < EVENTS; ++e) {
        printf("# event %2d: %lu\n", e, count_of(&events[e]));
        if (e >= SW_EVENT_HTTP_REQUEST && e <= SW_EVENT_LISTENER_RESUMED)
            continue;                              /* of web ports; tests/capi/limits_test.c */
        if (e == SW_EVENT_TOPIC_REFUSED) continue; /* of peers with 1,024 topics; tests/capi/topics_test.c */
        missed += count_of(&events[e]) == 0;
    }
    if (enough) tap_ok(missed == 0, "each type of event comes");
    missed = 0;
    for (int r = 0; r < RESULTS; ++r) {
        const char *name = sw_result_name((sw_result)r), *test = elsewhere((sw_result)r);
        if (r != SW_ERR_SYSTEM && strcmp(name, "system") == 0) continue; /* no number of ours */
        if (count_of(&results[r]) == 0 && !test) printf("# never seen: %s\n", name), ++missed;
        else printf("# %-20s %lu%s%s\n", name, count_of(&results[r]), test ? ", hit by " : "", test ? test : "");
    }
    if (!enough) printf("# too few calls to demand every function, event and code\n");
    else tap_ok(missed == 0, "each code is seen, or is named with the test that hits it");
}

/* ---- Setting up ---- */

/* It may be a hub, or one whose hub that is. */
static sw_node open_node(int fetched, uint32_t access, const sw_peer_id *hub) {
    static const char *const kRoutes[] = {"echo", "status", "many", "keep", "cancel", "fail"};
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.access = access;
    options.on_event = fetched ? NULL : a_callback;
    options.log = 1;
    options.send_queue_bytes = 64 * 1024;
    options.max_message_bytes = fetched ? 2 << 20 : 512 * 1024;
    options.decision_timeout_ms = 500;
    options.padding_bytes = (const uint32_t[]){0, 64, 1024}[below(3)];
    options.several_sessions = (uint32_t)below(2);
    options.handshake_timeout_ms = 1000;
    options.hub = hub ? 0 : (uint32_t)below(2);
    options.hubs = hub;
    options.hubs_count = hub ? below(2) : 0;
    MUST(CALL(node_open, &options, &node));
    for (unsigned i = 0; i < sizeof kRoutes / sizeof *kRoutes; ++i) {
        MUST(CALL(node_route, node, text(kRoutes[i]), NULL, NULL));
    }
    return node;
}

static void listen_for(sw_node node, int slot) {
    sw_listener listener;
    MUST(CALL(node_listen, node, text("tcp://127.0.0.1:0"), NULL, &listener));
    while (sw_listener_ticket(listener, P.tickets[slot]) != SW_OK) CALL(node_wait, queued, 1);
}

/* In a pool of their own: what is dialled there by the other channel gets no answer. */
static void listen_for_shs(sw_node node, int slot) {
    sw_listen_options options;
    sw_listener listener;
    sw_listen_options_init(&options);
    options.channel = SW_CHANNEL_SHS1;
    options.shs_network = (sw_bytes){kBytes, SW_SHS_NETWORK_SIZE};
    MUST(CALL(node_listen, node, text("tcp://127.0.0.1:0"), &options, &listener));
    while (sw_listener_ticket(listener, P.shs_tickets[slot]) != SW_OK) CALL(node_wait, queued, 1);
}

static void listen_on_tls(sw_node node, int slot) {
    sw_listen_options options;
    sw_tls_options tls;
    make_test_certificates(&certificates);
    sw_listen_options_init(&options);
    sw_tls_options_init(&tls);
    tls.certificate = text(certificates.server);
    tls.key = text(certificates.server_key);
    options.tls = &tls;
    MUST(CALL(node_listen, node, text("tls://127.0.0.1:0"), &options, &tls_listener));
    while (sw_listener_ticket(tls_listener, P.tickets[slot]) != SW_OK) CALL(node_wait, queued, 1);
}

/* More is published by the client than waits for the queued node, its peer: TOPIC_WRITABLE. */
static void stall_topic(void) {
    sw_topic from, to;
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.slow = SW_SLOW_BLOCK;
    options.queue_bytes = 1000;
    MUST(CALL(topic_join, client, text("stalled"), &options, &from));
    MUST(CALL(topic_join, queued, text("stalled"), NULL, &to));
    while (count_of(&events[SW_EVENT_TOPIC_WRITABLE]) == 0) {
        const sw_event *fetched[8];
        size_t got = 0;
        while (CALL(topic_publish, from, (sw_bytes){kBytes, 10000}, NULL) == SW_OK) {}
        CALL(node_wait, queued, 1);
        MUST(CALL(node_next_events, queued, fetched, 8, &got));
        for (size_t i = 0; i < got; ++i) sw_event_release(fetched[i]);
    }
    MUST(CALL(topic_leave, from));
    MUST(CALL(topic_leave, to));
}

/* More large messages than may wait for their handlers: STALLED. */
static void stall(void) {
    static const char kLarge[2 << 20];
    const sw_event *waiting[64];
    size_t kept = 0;
    sw_peer peer;
    const sw_bytes body = {kLarge, sizeof kLarge};
    MUST(CALL(node_connect, client, text(P.tickets[1]), NULL, &peer));
    while (count_of(&events[SW_EVENT_STALLED]) == 0) {
        const sw_event *fetched[8];
        size_t got = 0;
        if (CALL(peer_send, peer, text("keep"), body, NULL) != SW_OK) CALL(node_wait, queued, 1);
        MUST(CALL(node_next_events, queued, fetched, 8, &got));
        for (size_t i = 0; i < got; ++i) {
            look_at(fetched[i]);
            if (fetched[i]->type == SW_EVENT_PEER_PROVED) sw_peer_hello(fetched[i]->peer, no_bytes());
            if (fetched[i]->type == SW_EVENT_PEER_ASKS) MUST(sw_peer_accept(fetched[i]->peer, no_bytes()));
            if (fetched[i]->type == SW_EVENT_MESSAGE && kept < 64) waiting[kept++] = fetched[i];
            else sw_event_release(fetched[i]);
        }
    }
    for (size_t i = 0; i < kept; ++i) sw_event_release(waiting[i]);
    /* More bytes of a part than may wait to be sent: PART_WRITABLE. */
    while (count_of(&events[SW_EVENT_PART_WRITABLE]) == 0) {
        sw_part_head heads[1];
        sw_part part;
        sw_send_options options;
        const sw_event *fetched[8];
        size_t got = 0;
        memset(heads, 0, sizeof heads);
        sw_send_options_init(&options);
        options.parts = heads;
        options.part_count = 1;
        options.part_handles = &part;
        if (CALL(peer_send, peer, text("keep"), no_bytes(), &options) == SW_OK) {
            while (CALL(part_write, part, body, NULL) == SW_OK) {}
        }
        if (CALL(node_wait, queued, 1) != SW_OK) continue;
        MUST(CALL(node_next_events, queued, fetched, 8, &got));
        for (size_t i = 0; i < got; ++i) {
            if (fetched[i]->type == SW_EVENT_MESSAGE && fetched[i]->as.message.part_count == 1) {
                (void)CALL(part_read, fetched[i]->as.message.parts[0].part, SW_EVERYTHING);
            }
            sw_event_release(fetched[i]);
        }
    }
    stall_topic();
    MUST(CALL(peer_close, peer, 0, no_text(), 1));
}

static void open_all(void) {
    sw_peer_id id;
    char secret[SW_NETWORK_TEXT_SIZE], address[SW_ADDRESS_TEXT_SIZE];
    server = open_node(0, SW_ACCESS_ANYONE, NULL);
    MUST(sw_node_id(server, &id));
    client = open_node(0, SW_ACCESS_ASK, &id);
    queued = open_node(1, SW_ACCESS_ASK, &id);
    listen_for(server, 0);
    listen_for(queued, 1);
    listen_for(client, 2);
    listen_for_shs(server, 0);
    listen_for_shs(queued, 1);
    listen_on_tls(server, 3);
    /* Addresses of others: a key that nobody has there, and a port at which nothing listens. */
    MUST(sw_ticket_split(text(P.tickets[0]), server_address, &id));
    MUST(sw_node_id(client, &id));
    MUST(sw_ticket_split(text(P.tickets[1]), address, &id));
    MUST(sw_ticket_make(text(server_address), &id, P.tickets[3]));
    MUST(sw_ticket_make(text("tcp://127.0.0.1:1"), &id, P.tickets[4]));
    for (int i = 5; i < 8; ++i) memcpy(P.tickets[i], P.tickets[i - 5], sizeof P.tickets[i]);
    MUST(CALL(network_from_passphrase, text("correct horse battery staple"), secret));
    MUST(CALL(network_check, text(secret)));
    char topic_secret[SW_TOPIC_SECRET_TEXT_SIZE];
    MUST(CALL(topic_secret_from_passphrase, text("correct horse battery staple"), text("news"), topic_secret));
    MUST(CALL(topic_secret_check, text(topic_secret)));
}

static void close_all(void) {
    const sw_event *event = NULL;
    for (int i = 0; i < 4; ++i) {
        const sw_node node = P.nodes[i];
        if (node.value) CALL(node_close, node, 200, NULL);
    }
    MUST(CALL(node_shutdown, queued, 200));
    for (int over = 0; !over;) {
        size_t got = 0;
        if (sw_node_next_events(queued, &event, 1, &got) != SW_OK || got == 0) {
            if (sw_node_wait(queued, DEADLINE_S * 1000) != SW_OK) break;
            continue;
        }
        look_at(event);
        over = event->type == SW_EVENT_NODE_CLOSED;
        sw_event_release(event);
    }
    CHECK_OK(CALL(node_close, client, 500, NULL));
    CHECK_OK(CALL(node_close, server, 500, NULL));
    for (int i = 0; i < POOL; ++i) sw_event_release(P.held[i]);
    for (int i = 0; i < 16; ++i) sw_message_release(P.messages[i]);
    for (int i = 0; i < 8; ++i) sw_identity_free(P.identities[i]);
    for (int i = 0; i < 8; ++i) sw_draft_free(P.drafts[i]);
}

int main(void) {
    pthread_t other;
    const char *seed = getenv("SEALWIRE_TEST_SEED");
    run_seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
    printf("# SEALWIRE_TEST_SEED=%llu\n", (unsigned long long)run_seed);
    wanted = scaled(ALL);
    snprintf(files, sizeof files, "/tmp/sealwire-random-XXXXXX");
    if (!mkdtemp(files)) return printf("Bail out! no folder\n"), 1;
    open_all();
    stall();
    __atomic_store_n(&calm, 0, __ATOMIC_SEQ_CST);
    pthread_create(&other, NULL, caller, NULL);
    caller(NULL);
    pthread_join(other, NULL);
    close_all();
    unsigned partial = 0;
    DIR *dir = opendir(files);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        partial += strncmp(entry->d_name, ".sealwire-", 10) == 0;
        if (entry->d_name[0] != '.') unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir) closedir(dir);
    tap_ok(partial == 0 && rmdir(files) == 0, "no file is left half");
    tap_ok(__atomic_load_n(&wrapped, __ATOMIC_SEQ_CST) == __atomic_load_n(&unwrapped, __ATOMIC_SEQ_CST),
           "memory that was wrapped was given back");
    check_reached();
    printf("# %lu peers of the channel shs1\n", count_of(&raw_peers));
    tap_ok(count_of(&raw_peers) > 0, "peers of the channel shs1 were connected");
    return tap_done();
}
