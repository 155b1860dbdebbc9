/* Drafts: what they say arrives as with every message said anew, from any thread, until the last message made by them has left. */
#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer to_server;
static const char kTrace[SW_TRACE_CONTEXT_SIZE + 1] = "0123456789abcdefghijklmno";
static const char kKey[SW_IDEMPOTENCY_KEY_SIZE + 1] = "a key of sixteen";
static const sw_pair kPairs[] = {{{"kind", 4}, {"order", 5}}, {{"n", 1}, {"", 0}}};

static unsigned seen, as_expected;
static char last[1024];
static size_t last_key; /* its size: a random one may begin with a zero */

/* Route, type, metadata, trace and key of the last MESSAGE as one line. */
static void look(const sw_event *event, box *b) {
    (void)b;
    if (event->type != SW_EVENT_MESSAGE) return;
    const sw_event_message *m = &event->as.message;
    size_t at = (size_t)snprintf(last, sizeof last, "%.*s %u ", (int)m->route.size, m->route.data, m->type);
    for (size_t i = 0; i < m->metadata_count && m->metadata[i].value.size < 100; ++i) {
        at += (size_t)snprintf(last + at, sizeof last - at, "%.*s=%.*s;", (int)m->metadata[i].name.size,
                               m->metadata[i].name.data, (int)m->metadata[i].value.size, m->metadata[i].value.data);
    }
    at += (size_t)snprintf(last + at, sizeof last - at, " %.*s", (int)m->trace_context.size,
                           (const char *)m->trace_context.data);
    snprintf(last + at, sizeof last - at, " %.*s", (int)m->idempotency_key.size, (const char *)m->idempotency_key.data);
    last_key = m->idempotency_key.size;
    ++seen;
    as_expected += strcmp(last, "orders.place 2 kind=order;n=;  ") == 0;
}

static void open_pair(uint32_t access) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = access;
    box_open(&server, &options);
    box_open(&client, NULL);
    box_look(&server, look);
    server.echo = 1;
    MUST(sw_node_route(server.node, no_text(), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    seen = as_expected = 0;
}

static void close_pair(void) {
    box_close(&client);
    box_close(&server);
}

static sw_draft *a_draft(sw_node node, const char *route, uint32_t type, const sw_pair *metadata, size_t count) {
    sw_draft_options options;
    sw_draft *draft;
    sw_draft_options_init(&options);
    options.type = type;
    options.metadata = metadata;
    options.metadata_count = count;
    MUST(sw_draft_create(node, text(route), &options, &draft));
    return draft;
}

/* What the server sees of a request; `options` are the caller's. */
static int arrives(sw_request_options *options, size_t size, const char *expected) {
    sw_exchange exchange;
    char *body = (char *)calloc(1, size + 1);
    const sw_result result = sw_peer_request(to_server, no_text(), (sw_bytes){body, size}, options, &exchange);
    free(body);
    if (result != SW_OK) return printf("# %s: %s\n", sw_result_name(result), sw_error_detail()), 0;
    const note n = box_done(&client, exchange);
    if (strcmp(last, expected) != 0) printf("# %s\n", last);
    return n.result == SW_OK && n.size == size && strcmp(last, expected) == 0;
}

static void told_as_said(void) {
    sw_draft *draft = a_draft(client.node, "orders.place", SW_BODY_JSON, kPairs, 2), *plain;
    const sw_pair more[] = {{text("kind"), text("urgent")}, {text("by"), text("Ada")}};
    sw_request_options options;
    sw_send_options send;
    uint64_t receipt;
    note n;
    sw_request_options_init(&options);
    options.draft = draft;
    tap_ok(arrives(&options, 10, "orders.place 2 kind=order;n=;  "), "route, type and metadata of the draft arrive");
    tap_ok(arrives(&options, 10, "orders.place 2 kind=order;n=;  "), "and again");
    tap_ok(arrives(&options, 200000, "orders.place 2 kind=order;n=;  "), "with a body of many frames");
    options.metadata = more;
    options.metadata_count = 2;
    tap_ok(arrives(&options, 10, "orders.place 2 kind=order;n=;kind=urgent;by=Ada;  "),
           "the call's metadata come behind");
    options.trace_context = bytes(kTrace);
    options.idempotency_key = bytes(kKey);
    tap_ok(arrives(&options, 10,
                   "orders.place 2 kind=order;n=;kind=urgent;by=Ada; 0123456789abcdefghijklmno a key of sixteen"),
           "and trace and key beside them");
    sw_request_options_init(&options);
    options.draft = draft;
    options.trace_context = bytes(kTrace);
    tap_ok(arrives(&options, 10, "orders.place 2 kind=order;n=; 0123456789abcdefghijklmno "), "and a trace alone");
    options.trace_context = no_bytes();
    options.attempts = 3;
    static const char kMade[] = "orders.place 2 kind=order;n=;  ";
    sw_exchange again;
    MUST(sw_peer_request(to_server, no_text(), no_bytes(), &options, &again));
    tap_ok(box_done(&client, again).result == SW_OK && strncmp(last, kMade, sizeof kMade - 1) == 0 &&
               last_key == SW_IDEMPOTENCY_KEY_SIZE,
           "and the key that attempts have made for them");
    options.attempts = 0;
    options.trace_context = bytes(kTrace);
    MUST(sw_draft_create(client.node, text("bare"), NULL, &plain));
    options.draft = plain;
    options.metadata = more;
    options.metadata_count = 2;
    tap_ok(arrives(&options, 10, "bare 0 kind=urgent;by=Ada; 0123456789abcdefghijklmno "), "a draft may be bare");
    options.expects = SW_EXPECTS_MANY;
    options.trace_context = no_bytes();
    options.metadata_count = 0;
    sw_exchange many;
    MUST(sw_peer_request(to_server, no_text(), no_bytes(), &options, &many));
    box_wait(&server, SW_EVENT_MESSAGE, 9, &n);
    tap_ok(n.code == SW_EXPECTS_MANY && strcmp(n.text, "bare") == 0, "a request for many replies has a draft as well");
    MUST(sw_exchange_status(n.exchange, 0, no_text()));
    box_done(&client, many);
    sw_send_options_init(&send);
    send.draft = draft;
    send.receipt = SW_RECEIPT_ACKNOWLEDGED;
    send.receipt_number = &receipt;
    MUST(sw_peer_send(to_server, no_text(), bytes("x"), &send));
    box_wait(&client, SW_EVENT_RECEIPT, 1, &n);
    tap_ok(n.result == SW_OK && strcmp(last, "orders.place 2 kind=order;n=;  ") == 0, "and a one-way message");
    sw_part_head head;
    sw_part part;
    memset(&head, 0, sizeof head);
    send.parts = &head;
    send.part_count = 1;
    send.part_handles = &part;
    MUST(sw_peer_send(to_server, no_text(), bytes("x"), &send));
    box_wait(&server, SW_EVENT_MESSAGE, 11, &n);
    tap_ok(strcmp(last, "orders.place 2 kind=order;n=;  ") == 0, "and one with parts");
    sw_draft_free(draft);
    sw_draft_free(plain);
}

static void within_the_limit(void) {
    static char large[SW_METADATA_MAX];
    memset(large, 'x', sizeof large);
    const sw_pair pair = {text("a"), {large, 2000}};
    const sw_pair rest = {text("b"), {large, SW_METADATA_MAX - 2000 - 8}};
    const sw_pair beyond = {text("b"), {large, rest.value.size + 1}};
    sw_draft_options options;
    sw_draft *draft = a_draft(client.node, "bare", 0, &pair, 1), *none = NULL;
    sw_send_options send;
    sw_send_options_init(&send);
    send.draft = draft;
    send.metadata = &rest;
    send.metadata_count = 1;
    CHECK_OK(sw_peer_send(to_server, no_text(), no_bytes(), &send));
    MUST(box_ask(&client, to_server, "after", "x").result);
    send.metadata = &beyond;
    CHECK_IS(sw_peer_send(to_server, no_text(), no_bytes(), &send), SW_ERR_ARG);
    tap_ok(strstr(sw_error_detail(), "4096") != NULL, "metadata of draft and call are bounded together");
    sw_draft_options_init(&options);
    options.metadata = (const sw_pair[]){{text("a"), {large, SW_METADATA_MAX - 3}}};
    options.metadata_count = 1;
    CHECK_IS(sw_draft_create(client.node, text("bare"), &options, &none), SW_ERR_ARG);
    sw_draft_free(draft);
    tap_ok(none == NULL, "a draft that is refused is none");
}

static void what_is_wrong_is_refused(void) {
    sw_draft *draft = a_draft(client.node, "orders.place", SW_BODY_JSON, kPairs, 2), *none = NULL;
    const sw_pair nameless = {no_text(), text("x")};
    sw_draft_options options;
    sw_send_options send;
    sw_request_options request;
    sw_question question = {{{0}, 0}, 0};
    sw_route number;
    sw_draft_options_init(&options);
    CHECK_IS(sw_draft_create(client.node, text("x"), &options, NULL), SW_ERR_ARG);
    CHECK_IS(sw_draft_create(client.node, no_text(), &options, &none), SW_ERR_ARG);
    CHECK_IS(sw_draft_create(client.node, text("\xff"), &options, &none), SW_ERR_ARG);
    CHECK_IS(sw_draft_create((sw_node){0}, text("x"), &options, &none), SW_ERR_HANDLE);
    options.type = 5;
    CHECK_IS(sw_draft_create(client.node, text("x"), &options, &none), SW_ERR_ARG);
    sw_draft_options_init(&options);
    options.metadata_count = 1;
    CHECK_IS(sw_draft_create(client.node, text("x"), &options, &none), SW_ERR_ARG);
    options.metadata = &nameless;
    CHECK_IS(sw_draft_create(client.node, text("x"), &options, &none), SW_ERR_ARG);
    options.size = 0;
    CHECK_IS(sw_draft_create(client.node, text("x"), &options, &none), SW_ERR_ARG);
    MUST(sw_node_intern(client.node, text("x"), &number));
    sw_send_options_init(&send);
    send.draft = draft;
    CHECK_IS(sw_peer_send(to_server, text("x"), no_bytes(), &send), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "a route is given, and a draft, which has one") == 0, "a route beside a draft");
    send.route = number;
    CHECK_IS(sw_peer_send(to_server, no_text(), no_bytes(), &send), SW_ERR_ARG);
    send.route = 0;
    send.type = SW_BODY_JSON;
    CHECK_IS(sw_peer_send(to_server, no_text(), no_bytes(), &send), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "a type is given, and a draft, which has one") == 0, "a type beside a draft");
    sw_request_options_init(&request);
    request.draft = draft;
    request.type = SW_BODY_UTF8;
    CHECK_IS(sw_peer_request(to_server, no_text(), no_bytes(), &request, NULL), SW_ERR_ARG);
    send.type = 0;
    CHECK_IS(sw_exchange_reply(question.exchange, no_bytes(), &send), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "a reply has no route, and so no draft") == 0, "a reply by a draft");
    CHECK_IS(sw_exchange_ask(question.exchange, no_bytes(), &send, &question), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "a question or an answer has no route, and so no draft") == 0,
           "a question by a draft");
    CHECK_IS(sw_question_answer(question, no_bytes(), &send, NULL), SW_ERR_ARG);
    sw_draft_free(draft);
    sw_draft_free(NULL);
}

/* Of each struct what a program knew that was built before there were drafts; behind it may be anything. */
static void older_callers(void) {
    sw_send_options send;
    sw_request_options request;
    sw_exchange exchange;
    const unsigned before = seen;
    memset(&send, 0, sizeof send);
    memset(&request, 0, sizeof request);
    send.draft = request.draft = (const sw_draft *)(uintptr_t)0xEEEEEEEEEEEEEEEEu;
    send.size = offsetof(sw_send_options, draft);
    request.size = offsetof(sw_request_options, draft);
    CHECK_OK(sw_peer_send(to_server, text("older"), bytes("x"), &send));
    CHECK_OK(sw_peer_request(to_server, text("older"), bytes("x"), &request, &exchange));
    tap_ok(box_done(&client, exchange).result == SW_OK && seen == before + 2 && strcmp(last, "older 0   ") == 0,
           "options without a draft are read as before");
}

static void of_another_node(void) {
    box other;
    sw_send_options send;
    sw_request_options request;
    sw_draft *draft, *own;
    box_open(&other, NULL);
    /* The same number is another route of this node. */
    own = a_draft(client.node, "orders.place", 0, NULL, 0);
    draft = a_draft(other.node, "elsewhere", 0, NULL, 0);
    const unsigned before = seen;
    sw_send_options_init(&send);
    send.draft = draft;
    CHECK_IS(sw_peer_send(to_server, no_text(), bytes("x"), &send), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "the draft is of another node") == 0, "a draft of another node is refused");
    sw_request_options_init(&request);
    request.draft = draft;
    CHECK_IS(sw_peer_request(to_server, no_text(), bytes("x"), &request, NULL), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "the draft is of another node") == 0, "for a request as well");
    request.attempts = 2;
    CHECK_IS(sw_peer_request(to_server, no_text(), bytes("x"), &request, NULL), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "the draft is of another node") == 0, "and for one of several attempts");
    box_close(&other);
    CHECK_IS(sw_peer_send(to_server, no_text(), bytes("x"), &send), SW_ERR_ARG);
    tap_ok(box_ask(&client, to_server, "after", "x").result == SW_OK && seen == before + 1, "nothing of it was sent");
    sw_draft_free(draft); /* behind its node */
    sw_draft_free(own);
}

#define THREADS 4
#define EACH 200

static void *sender(void *argument) {
    sw_send_options send;
    sw_send_options_init(&send);
    send.draft = (const sw_draft *)argument;
    for (int i = 0; i < EACH; ++i) MUST(sw_peer_send(to_server, no_text(), bytes("x"), &send));
    return NULL;
}

static void from_any_thread(void) {
    pthread_t threads[THREADS];
    sw_draft *draft = a_draft(client.node, "orders.place", SW_BODY_JSON, kPairs, 2);
    const unsigned before = seen, good = as_expected;
    for (int i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, sender, draft);
    for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
    sw_draft_free(draft);
    const note n = box_ask(&client, to_server, "after", "x");
    tap_ok(n.result == SW_OK && seen == before + THREADS * EACH + 1 && as_expected == good + THREADS * EACH,
           "threads that send by one draft at once say all the same");
}

/* The peer has not been let in yet: all waits, made by a draft that is gone. */
static void gone_while_messages_wait(void) {
    sw_send_options send;
    sw_request_options request;
    sw_exchange exchange;
    note n;
    static const char large[20000]; /* such wait until the peer is let in, and those behind them */
    open_pair(SW_ACCESS_ASK);
    sw_draft *draft = a_draft(client.node, "orders.place", SW_BODY_JSON, kPairs, 2);
    sw_send_options_init(&send);
    send.draft = draft;
    sw_request_options_init(&request);
    request.draft = draft;
    MUST(sw_node_connect(client.node, text(ticket), NULL, &to_server));
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    for (int i = 0; i < 100; ++i) {
        MUST(sw_peer_send(to_server, no_text(), i % 10 ? bytes("x") : (sw_bytes){large, sizeof large}, &send));
    }
    MUST(sw_peer_request(to_server, no_text(), bytes("x"), &request, &exchange));
    sw_draft_free(draft);
    MUST(sw_peer_accept(n.peer, no_bytes()));
    tap_ok(box_done(&client, exchange).result == SW_OK && seen == 101 && as_expected == 101,
           "a draft may be freed while messages made by it wait");
    close_pair();
}

static void gone_behind_its_node(void) {
    sw_send_options send;
    sw_draft *never = NULL;
    static const char large[20000];
    open_pair(SW_ACCESS_ASK);
    sw_draft *draft = a_draft(client.node, "orders.place", SW_BODY_JSON, kPairs, 2);
    const sw_node node = client.node;
    note n;
    MUST(sw_node_connect(client.node, text(ticket), NULL, &to_server));
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    sw_send_options_init(&send);
    send.draft = draft;
    MUST(sw_peer_send(to_server, no_text(), (sw_bytes){large, sizeof large}, &send));
    close_pair();
    CHECK_IS(sw_peer_send(to_server, no_text(), bytes("x"), &send), SW_ERR_HANDLE);
    CHECK_IS(sw_draft_create(node, text("x"), NULL, &never), SW_ERR_HANDLE);
    sw_draft_free(draft);
    tap_ok(1, "a draft may be freed when its node is gone");
}

int main(void) {
    open_pair(SW_ACCESS_ANYONE);
    to_server = box_connect(&client, ticket);
    told_as_said();
    within_the_limit();
    what_is_wrong_is_refused();
    older_callers();
    of_another_node();
    from_any_thread();
    close_pair();
    gone_while_messages_wait();
    gone_behind_its_node();
    return tap_done();
}
