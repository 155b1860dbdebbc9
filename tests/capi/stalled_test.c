/* A member that takes no events beside others that do: these lose nothing, it and the publisher count the same, memory stays in
 * its limits.
 *
 * In full 99 others and a million messages for each thing that may become of slow members: SEALWIRE_TEST_SCALE=10000. */
#include "topic_check.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if __GLIBC_PREREQ(2, 33)
#include <malloc.h>
#define MALLOC_TELLS
#endif
#endif

#define OTHERS 99u        /* at most */
#define STEP 128u         /* messages after which members say how far they are */
#define AHEAD (2u * STEP) /* of the slowest of the others */
#define BODY 64u
#define QUEUE (256u * 1024)
#define CREDIT (128u * 1024)
#define LEAST 5000u /* credit and queue hold 3,072 */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows, unless it says otherwise */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static unsigned others_count;
static unsigned listening, connected, members, lefts;
static uint64_t dropped; /* that the publisher was told of */
static sw_topic joined;  /* the last one that is */
static struct {
    sw_peer peer;
    uint64_t next; /* its thread's alone */
    uint64_t reached, missed, wrong;
} others[OTHERS];

static void note_change(void) { pthread_cond_broadcast(&changed); }

/* Waits until `*value` is at least that. */
static void wait_for(const unsigned *value, unsigned least, const char *what) {
    const struct timespec at = deadline_after(DEADLINE_S);
    int late = 0;
    pthread_mutex_lock(&mutex);
    while (*value < least && !late) late = pthread_cond_timedwait(&changed, &mutex, &at) == ETIMEDOUT;
    pthread_mutex_unlock(&mutex);
    if (late) printf("Bail out! %s: %u of %u\n", what, *value, least), exit(1);
}

/* ---- Who publishes ---- */

static sw_node hub;

static void on_hub(const sw_event *event, void *user) {
    (void)user;
    pthread_mutex_lock(&mutex);
    switch (event->type) {
        case SW_EVENT_LISTENING:
            memcpy(ticket, event->as.listening.ticket.data, event->as.listening.ticket.size);
            ticket[event->as.listening.ticket.size] = 0;
            ++listening;
            break;
        case SW_EVENT_TOPIC_MEMBER_JOINED: ++members; break;
        case SW_EVENT_TOPIC_MEMBER_LEFT: ++lefts; break;
        case SW_EVENT_TOPIC_DROPPED: dropped += event->as.topic.count; break;
        default: break;
    }
    note_change();
    pthread_mutex_unlock(&mutex);
}

static sw_node open_node(sw_event_fn on_event) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.several_sessions = 1;
    options.heartbeat_ms = SW_NEVER;
    options.on_event = on_event;
    MUST(sw_node_open(&options, &node));
    return node;
}

static sw_topic join_at(sw_node node, const char *name, uint32_t slow, int publish_only) {
    sw_topic_options options;
    sw_topic topic;
    sw_topic_options_init(&options);
    options.slow = slow;
    options.queue_bytes = QUEUE;
    options.credit_bytes = publish_only ? 0 : CREDIT;
    options.publish_only = (uint32_t)publish_only;
    MUST(sw_topic_join(node, text(name), &options, &topic));
    return topic;
}

/* For how many. */
static uint64_t publish_one(sw_topic topic, uint64_t number) {
    char body[BODY];
    uint64_t count = 0;
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.members = &count;
    memset(body, 'b', sizeof body);
    memcpy(body, &number, sizeof number);
    MUST(sw_topic_publish(topic, (sw_bytes){body, sizeof body}, &options));
    return count;
}

static void wait_for_others(uint64_t number) {
    const struct timespec at = deadline_after(DEADLINE_S);
    int late = 0;
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < others_count; ++i) {
        while (others[i].reached < number && !late) late = pthread_cond_timedwait(&changed, &mutex, &at) == ETIMEDOUT;
    }
    pthread_mutex_unlock(&mutex);
    if (late) printf("Bail out! a member does not get message %llu\n", (unsigned long long)number), exit(1);
}

static size_t heap(void) {
#ifdef MALLOC_TELLS
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* The messages up to `end`, as fast as the others take them; the most memory that was in use meanwhile. */
static size_t publish_until(sw_topic topic, uint64_t *at, uint64_t end, uint64_t *meant) {
    size_t most = 0;
    while (*at < end) {
        *meant += publish_one(topic, (*at)++);
        if (*at % STEP != 0) continue;
        wait_for_others(*at > AHEAD ? *at - AHEAD : 0);
        const size_t now = heap();
        if (now > most) most = now;
    }
    wait_for_others(end);
    return most;
}

/* ---- The others ---- */

static sw_node crowd;

static void on_crowd(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_PEER_CONNECTED || event->type == SW_EVENT_TOPIC_JOINED) {
        pthread_mutex_lock(&mutex);
        if (event->type == SW_EVENT_PEER_CONNECTED) ++connected;
        else joined = event->as.topic.topic;
        note_change();
        pthread_mutex_unlock(&mutex);
    }
    if (event->type != SW_EVENT_TOPIC_MESSAGE) return;
    const sw_event_topic_message *message = &event->as.topic_message;
    unsigned i = 0;
    while (i < others_count && others[i].peer.value != event->peer.value) ++i;
    uint64_t number = 0;
    memcpy(&number, message->body.data, sizeof number);
    const int good = message->number == others[i].next && number == message->number && message->dropped == 0;
    others[i].next = message->number + 1;
    if (good && others[i].next % STEP != 0) return;
    pthread_mutex_lock(&mutex);
    others[i].missed += message->dropped;
    others[i].wrong += !good;
    others[i].reached = others[i].next;
    note_change();
    pthread_mutex_unlock(&mutex);
}

static void wait_joined(sw_topic topic) {
    const struct timespec at = deadline_after(DEADLINE_S);
    int late = 0;
    pthread_mutex_lock(&mutex);
    while (joined.value != topic.value && !late) late = pthread_cond_timedwait(&changed, &mutex, &at) == ETIMEDOUT;
    pthread_mutex_unlock(&mutex);
    if (late) printf("Bail out! a join is not answered\n"), exit(1);
}

/* ---- Who takes no events ---- */

static struct {
    uint64_t first; /* of what is published, for it */
    uint64_t next, came, missed, wrong;
    sw_result ended;
    int over;
} slow;

/* What has come is taken, up to an event of `type`; false: there was none within 10 ms. */
static int take_until(sw_node node, uint32_t type) {
    for (;;) {
        const sw_event *event = NULL;
        size_t count = 0;
        MUST(sw_node_next_events(node, &event, 1, &count));
        if (count == 0) {
            if (sw_node_wait(node, 10) != SW_OK) return 0;
            continue;
        }
        const uint32_t got = event->type;
        if (got == SW_EVENT_TOPIC_MESSAGE) {
            const sw_event_topic_message *message = &event->as.topic_message;
            uint64_t number = 0;
            memcpy(&number, message->body.data, sizeof number);
            slow.missed += message->dropped;
            slow.wrong += message->number != slow.next + message->dropped || number != slow.first + message->number;
            slow.next = message->number + 1;
            ++slow.came;
        }
        if (got == SW_EVENT_PEER_CLOSED) slow.over = 1, slow.ended = event->as.closed.result;
        sw_event_release(event);
        if (got == type) return 1;
    }
}

static void must_take(sw_node node, uint32_t type) {
    for (int tries = DEADLINE_S * 100; !take_until(node, type);) {
        if (--tries == 0) printf("Bail out! event %u does not come\n", type), exit(1);
    }
}

/* Up to the message before `number`. */
static void take_all(sw_node node, uint64_t number) {
    for (int tries = DEADLINE_S * 100; slow.next < number; --tries) {
        if (tries == 0) printf("Bail out! message %llu does not come\n", (unsigned long long)number), exit(1);
        take_until(node, 0);
    }
}

static void begin(void) {
    pthread_mutex_lock(&mutex);
    members = lefts = 0;
    dropped = 0;
    pthread_mutex_unlock(&mutex);
    for (unsigned i = 0; i < others_count; ++i)
        others[i].next = others[i].reached = others[i].missed = others[i].wrong = 0;
    memset(&slow, 0, sizeof slow);
}

static void beside(uint32_t policy, const char *name, uint64_t messages) {
    begin();
    const sw_topic from = join_at(hub, name, policy, 1), at_crowd = join_at(crowd, name, 0, 0);
    wait_joined(at_crowd);
    wait_for(&members, others_count, "members");
    uint64_t sent = 0, meant = 0;
    size_t without = publish_until(from, &sent, messages / STEP * STEP, &meant);

    sw_peer peer;
    const size_t quiet = heap();
    const sw_node node = open_node(NULL);
    MUST(sw_node_connect(node, text(ticket), NULL, &peer));
    must_take(node, SW_EVENT_PEER_CONNECTED);
    const uint64_t first = slow.first = sent;
    join_at(node, name, 0, 0);
    must_take(node, SW_EVENT_TOPIC_JOINED);
    wait_for(&members, others_count + 1, "members");
    meant = 0;
    const size_t idle = heap(); /* with a node and a session more */
    if (idle > quiet) without += idle - quiet;
    const size_t with = publish_until(from, &sent, sent + messages / STEP * STEP, &meant);
    meant -= others_count * (sent - first); /* for the one, until it is cut off */
    pthread_mutex_lock(&mutex);
    const unsigned before = lefts;
    pthread_mutex_unlock(&mutex);

    /* Now it takes what there is; with drop_newest also what is published when there is room again. */
    if (policy == SW_SLOW_DISCONNECT) must_take(node, SW_EVENT_PEER_CLOSED);
    else if (policy == SW_SLOW_DROP_OLDEST) take_all(node, sent - first);
    while (policy == SW_SLOW_DROP_NEWEST && (slow.next < sent - first || sent % STEP != 0)) {
        publish_one(from, sent++);
        take_until(node, 0);
    }
    wait_for_others(sent);
    MUST(sw_node_close(node, 0, NULL));
    wait_for(&lefts, 1, "the one that leaves");

    uint64_t missed = 0, wrong = 0;
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < others_count; ++i) missed += others[i].missed, wrong += others[i].wrong;
    const uint64_t told = dropped;
    const unsigned gone = lefts;
    pthread_mutex_unlock(&mutex);
    printf("# %s beside %u: %llu messages; the one got %llu, lost %llu; memory %zu KiB, without it %zu KiB\n", name,
           others_count, (unsigned long long)sent, (unsigned long long)slow.came, (unsigned long long)told, with / 1024,
           without / 1024);
    tap_ok(missed == 0 && wrong == 0, "the others get each message, in order");
    tap_ok(slow.wrong == 0 && slow.came > 0, "the one gets what it gets in order");
    if (policy == SW_SLOW_DISCONNECT) {
        tap_ok(slow.ended == SW_ERR_SLOW && before == 1, "it is cut off while the others go on");
        tap_ok(meant < messages && slow.came + told >= meant && told > 0, "what it may not have got is counted");
    } else {
        tap_ok(before == 0, "it stays");
        tap_ok(slow.missed > 0 && slow.missed == told && slow.came + told == sent - first,
               "what it does not get is counted at both ends");
    }
    tap_ok(gone == 1, "nobody else has left");
#ifdef MALLOC_TELLS
    /* Its credit stands for so many events that wait to be fetched, of 1.5 KiB; two logs share what they hold. Others have buffers
     * that come and go. */
    const size_t events = CREDIT / (BODY + 64) * 1536, buffers = (size_t)96 * 1024 * (others_count + 1);
    tap_ok(with < without + 2 * QUEUE + events + buffers, "for it no more is kept than its limits say");
#endif
    MUST(sw_topic_leave(at_crowd));
    wait_for(&lefts, others_count + 1, "the others that leave"); /* or they would count as those of the next */
    MUST(sw_topic_leave(from));
}

int main(void) {
    sw_listener listener;
    const unsigned long wanted = scaled(10000), messages = wanted < LEAST ? LEAST : wanted;
    hub = open_node(on_hub);
    crowd = open_node(on_crowd);
    MUST(sw_node_listen(hub, text("tcp://127.0.0.1:0"), NULL, &listener));
    wait_for(&listening, 1, "a listener");
    const unsigned counts[] = {2, OTHERS}; /* few, where memory is not that of their buffers */
    for (unsigned i = 0; i < 2; ++i) {
        while (others_count < counts[i]) {
            MUST(sw_node_connect(crowd, text(ticket), NULL, &others[others_count++].peer));
            wait_for(&connected, others_count, "a connection");
        }
        /* Beside few so many that to keep all of them would be seen. */
        const unsigned long these = i == 0 ? 4 * messages : messages;
        beside(SW_SLOW_DROP_OLDEST, "drop oldest", these);
        beside(SW_SLOW_DROP_NEWEST, "drop newest", these);
        beside(SW_SLOW_DISCONNECT, "disconnect", messages);
    }
    MUST(sw_node_close(crowd, 0, NULL));
    MUST(sw_node_close(hub, 0, NULL));
    return tap_done();
}
