/* Conversations: both sides ask while a request runs; each question has one answer, each exchange one end. */
#include "check.h"

static box server, client;
static sw_peer to_server;

/* ---- The handler: adds up what it is told, asking for each number ---- */

static void ask_more(sw_exchange exchange) {
    sw_question question;
    MUST(sw_exchange_ask(exchange, bytes("more?"), NULL, &question));
}

static int number_in(sw_bytes body) {
    char text_[16] = {0};
    if (body.size < sizeof text_) memcpy(text_, body.data, body.size);
    return atoi(text_);
}

/* One sum at a time: loop thread only. */
static int sum;

static void add(const sw_event *event, void *user) {
    (void)user;
    tap_ok(event->as.message.last == 0, "the handler sees that it may ask");
    sum = number_in(event->as.message.body);
    ask_more(event->as.message.exchange);
}

static void at_server(const sw_event *event, box *b) {
    const sw_event_answer *answer = &event->as.answer;
    char text_[32];
    (void)b;
    if (event->type == SW_EVENT_QUESTION) {
        if (is_bytes(event->as.message.body, "mute")) return;
        if (is_bytes(event->as.message.body, "no?")) {
            MUST(sw_question_status(event->as.message.question, 64, text("no")));
        } else if (is_bytes(event->as.message.body, "deep?")) {
            sw_question back;
            MUST(sw_question_answer(event->as.message.question, bytes("deeper?"), NULL, &back));
        } else {
            snprintf(text_, sizeof text_, "%d so far", sum);
            MUST(sw_question_answer(event->as.message.question, bytes(text_), NULL, NULL));
            CHECK_IS(sw_question_answer(event->as.message.question, no_bytes(), NULL, NULL), SW_ERR_HANDLE);
        }
    }
    if (event->type != SW_EVENT_ANSWER || answer->result != SW_OK) return;
    if (answer->asks.exchange.peer.value) { /* as deep as the other side goes */
        sw_question back;
        MUST(sw_question_answer(answer->asks, answer->body, NULL, &back));
        return;
    }
    if (answer->has_body && is_bytes(answer->body, "bottom")) return;
    if (answer->has_body) {
        sum += number_in(answer->body);
        ask_more(answer->question.exchange);
        return;
    }
    snprintf(text_, sizeof text_, "%d", sum); /* answered by a status: that was all */
    MUST(sw_exchange_reply(answer->question.exchange, bytes(text_), NULL));
}

/* ---- The requester ---- */

static int depth, deepest;

static void at_client(const sw_event *event, box *b) {
    (void)b;
    if (event->type != SW_EVENT_ANSWER || event->as.answer.asks.exchange.peer.value == 0) return;
    sw_question back;
    if (++depth < deepest) MUST(sw_question_answer(event->as.answer.asks, bytes("deeper?"), NULL, &back));
    else MUST(sw_question_answer(event->as.answer.asks, bytes("bottom"), NULL, NULL));
}

static sw_exchange begin(const char *body) {
    sw_request_options options;
    sw_exchange exchange;
    sw_request_options_init(&options);
    options.converse = 1;
    options.timeout_ms = SW_NEVER;
    MUST(sw_peer_request(to_server, text("add"), bytes(body), &options, &exchange));
    return exchange;
}

static unsigned questions_seen;
/* The next question of the server. */
static note question(void) {
    note n;
    box_wait(&client, SW_EVENT_QUESTION, ++questions_seen, &n);
    return n;
}

static int note_has_question(const note *n, const void *question_) {
    const sw_question *q = (const sw_question *)question_;
    return n->question.number == q->number && n->question.exchange.number == q->exchange.number &&
           n->question.exchange.peer.value == q->exchange.peer.value;
}

static note answer_to(sw_question q) {
    note n;
    memset(&n, 0, sizeof n);
    box_wait_match(&client, SW_EVENT_ANSWER, 1, note_has_question, &q, &n);
    return n;
}

static void a_handler_asks_for_each_number(void) {
    const sw_exchange exchange = begin("1");
    sw_question mine;
    note n = question();
    tap_ok(strcmp(n.bytes, "more?") == 0 && note_has_exchange(&n, &exchange), "the requester is asked");
    MUST(sw_question_answer(n.question, bytes("20"), NULL, NULL));
    CHECK_IS(sw_question_answer(n.question, bytes("20"), NULL, NULL), SW_ERR_HANDLE);
    n = question();
    MUST(sw_exchange_ask(exchange, bytes("how much?"), NULL, &mine));
    const note told = answer_to(mine);
    tap_ok(told.result == SW_OK && strcmp(told.bytes, "21 so far") == 0, "it asks itself, while it is asked");
    MUST(sw_exchange_ask(exchange, bytes("no?"), NULL, &mine));
    const note no = answer_to(mine);
    tap_ok(no.result == SW_ERR_STATUS && no.code == 64 && strcmp(no.text, "no") == 0 && no.first == 0,
           "and is answered by a status");
    MUST(sw_question_answer(n.question, bytes("300"), NULL, NULL));
    n = question();
    MUST(sw_question_status(n.question, 0, no_text()));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "321") == 0, "the handler answers the request in the end");
    CHECK_IS(sw_exchange_ask(exchange, no_bytes(), NULL, &mine), SW_ERR_HANDLE);
}

static void answers_that_ask(void) {
    const sw_exchange exchange = begin("1");
    sw_question mine;
    const note asked = question();
    deepest = 50;
    depth = 0;
    const unsigned before = box_count(&client, SW_EVENT_ANSWER);
    MUST(sw_exchange_ask(exchange, bytes("deep?"), NULL, &mine));
    note n;
    box_wait(&client, SW_EVENT_ANSWER, before + 50, &n);
    tap_ok(n.asks.exchange.peer.value != 0 && depth == 50, "answers ask in turn for a hundred turns");
    MUST(sw_question_status(asked.question, 0, no_text()));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK, "and the exchange ends");
}

static void the_end_ends_questions(void) {
    sw_question mine, another;
    sw_deadlines deadlines;
    note n;
    sw_exchange exchange = begin("1");
    question();
    MUST(sw_exchange_ask(exchange, bytes("mute"), NULL, &mine));
    MUST(sw_exchange_cancel(exchange, 0));
    n = answer_to(mine);
    tap_ok(n.result == SW_ERR_CANCELLED && n.first == 0, "a cancel ends a question that is not answered");
    box_done(&client, exchange);

    exchange = begin("1");
    question();
    MUST(sw_exchange_ask(exchange, bytes("mute"), NULL, &mine));
    sw_deadlines_init(&deadlines);
    deadlines.total_ms = 20;
    MUST(sw_exchange_set_deadlines(exchange, &deadlines));
    n = answer_to(mine);
    tap_ok(n.result == SW_ERR_TIMEOUT, "so does a deadline");
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_ERR_TIMEOUT, "which ends the exchange");

    exchange = begin("1");
    const note asked = question();
    for (unsigned i = 0; i < SW_QUESTIONS_MAX; ++i) MUST(sw_exchange_ask(exchange, bytes("mute"), NULL, &mine));
    CHECK_IS(sw_exchange_ask(exchange, bytes("mute"), NULL, &another), SW_ERR_TOO_MANY);
    MUST(sw_question_status(asked.question, 0, no_text()));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK, "the reply of the handler ends all questions");
    n = answer_to(mine);
    tap_ok(n.result == SW_ERR_CANCELLED, "as cancelled");
}

static void one_end_each(void) {
    unsigned once = 0;
    pthread_mutex_lock(&client.mutex);
    for (size_t i = 0; i < client.count; ++i) {
        const note *n = &client.notes[i];
        if (n->type != SW_EVENT_DONE && n->type != SW_EVENT_ANSWER) continue;
        unsigned same = 0;
        for (size_t j = 0; j < client.count; ++j) {
            const note *other = &client.notes[j];
            if (other->type != n->type || !note_has_exchange(other, &n->exchange)) continue;
            if (n->type == SW_EVENT_DONE || other->question.number == n->question.number) ++same;
            if (n->type == SW_EVENT_DONE) continue;
        }
        once += same == 1;
        if (same != 1) tap_ok(0, "an end came more than once");
    }
    pthread_mutex_unlock(&client.mutex);
    tap_ok(once == box_count(&client, SW_EVENT_DONE) + box_count(&client, SW_EVENT_ANSWER),
           "each exchange and each question has ended exactly once");
}

/* The UUIDs of what the server has seen: of the opening message and of the one question. */
static uint8_t seen[2][16];

static void look(const sw_event *event, void *user) {
    sw_question question_;
    (void)user;
    MUST(sw_exchange_uuid(event->as.message.exchange, 0, event->as.message.place, seen[0]));
    if (event->as.message.expects == SW_EXPECTS_NONE) return;
    MUST(sw_exchange_ask(event->as.message.exchange, bytes("look?"), NULL, &question_));
    MUST(sw_exchange_uuid(event->as.message.exchange, 1, 0, seen[1]));
}

static void uuids_are_equal(void) {
    uint8_t mine[16], theirs[16];
    sw_request_options options;
    sw_send_options send;
    sw_exchange exchange;
    sw_running running;
    memset(&running, 0, sizeof running);
    running.size = sizeof running;
    sw_request_options_init(&options);
    options.converse = 1;
    MUST(sw_peer_request(to_server, text("look"), no_bytes(), &options, &exchange));
    CHECK_OK(sw_exchange_running(exchange));
    const note asked = question();
    MUST(sw_exchange_uuid(exchange, 1, 0, mine));
    MUST(sw_exchange_uuid(exchange, 0, asked.last, theirs));
    tap_ok(memcmp(mine, seen[0], 16) == 0 && memcmp(theirs, seen[1], 16) == 0, "a message has one UUID at both ends");
    tap_ok(memcmp(mine, theirs, 16) != 0 && mine[6] >> 4 == 8 && mine[8] >> 6 == 2, "each another, of version 8");
    MUST(sw_exchange_ask(exchange, bytes("mute"), NULL, &(sw_question){{{0}, 0}, 0}));
    CHECK_OK(sw_peer_running(to_server, &running));
    tap_ok(running.requests == 1 && running.serving == 0 && running.questions == 1, "what runs is counted");
    MUST(sw_exchange_cancel(exchange, 0));
    CHECK_OK(sw_exchange_uuid(exchange, 1, 0, mine));
    box_done(&client, exchange);
    CHECK_IS(sw_exchange_running(exchange), SW_ERR_HANDLE);
    MUST(sw_peer_running(to_server, &running));
    tap_ok(running.requests == 0 && running.questions == 0, "and nothing when nothing runs");
    sw_send_options_init(&send);
    send.exchange = &exchange;
    MUST(sw_peer_send(to_server, text("look"), no_bytes(), &send));
    box_ask(&client, to_server, "plain", "behind it");
    MUST(sw_exchange_uuid(exchange, 1, 0, mine));
    tap_ok(memcmp(mine, seen[0], 16) == 0, "a one-way message has one too");
    CHECK_IS(sw_exchange_uuid(exchange, 2, 0, mine), SW_ERR_ARG);
    running.size = 0;
    CHECK_IS(sw_peer_running(to_server, &running), SW_ERR_ARG);
    CHECK_IS(sw_peer_running((sw_peer){0}, NULL), SW_ERR_ARG);
}

static void what_is_wrong_is_refused(void) {
    const sw_exchange none = {{0}, 0};
    sw_question mine;
    sw_send_options options;
    sw_send_options_init(&options);
    CHECK_IS(sw_exchange_ask(none, no_bytes(), NULL, &mine), SW_ERR_HANDLE);
    CHECK_IS(sw_exchange_ask(none, no_bytes(), NULL, NULL), SW_ERR_ARG);
    const sw_question nothing = {{{0}, 0}, 0};
    CHECK_IS(sw_question_answer(nothing, no_bytes(), NULL, NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_question_status(nothing, 0, no_text()), SW_ERR_HANDLE);
    CHECK_IS(sw_question_status(nothing, 5, no_text()), SW_ERR_ARG);
    options.more = 1;
    CHECK_IS(sw_question_answer(nothing, no_bytes(), &options, NULL), SW_ERR_ARG);
}

static void not_a_conversation(const sw_event *event, void *user) {
    sw_question question_;
    (void)user;
    CHECK(event->as.message.last == 1);
    CHECK_IS(sw_exchange_ask(event->as.message.exchange, no_bytes(), NULL, &question_), SW_ERR_STATE);
    MUST(sw_exchange_status(event->as.message.exchange, 0, no_text()));
}

int main(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    box_open(&server, NULL);
    box_open(&client, NULL);
    box_look(&server, at_server);
    box_look(&client, at_client);
    MUST(sw_node_route(server.node, text("add"), add, NULL));
    MUST(sw_node_route(server.node, text("plain"), not_a_conversation, NULL));
    MUST(sw_node_route(server.node, text("look"), look, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    to_server = box_connect(&client, ticket);
    a_handler_asks_for_each_number();
    answers_that_ask();
    the_end_ends_questions();
    const note n = box_ask(&client, to_server, "plain", "x");
    tap_ok(n.result == SW_OK, "a plain request is no conversation");
    uuids_are_equal();
    what_is_wrong_is_refused();
    one_end_each();
    box_close(&client);
    box_close(&server);
    return tap_done();
}
