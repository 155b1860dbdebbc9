/* Sealwire's public C interface: programs that know each other by public key talk to each other, encrypted always.
 *
 * THE CONTRACT, on one page
 *
 * Commands go in, events come out. Every function returns at once (sw_node_close and sw_node_wait excepted) and may be
 * called from any thread and from any callback. What becomes of a command is told by an event.
 *
 * Threads.  A node owns one loop thread, on which its callbacks run, never from inside a call of yours and with no lock
 *   held; or several (loop_threads), which then call at once for different peers, and for listeners and pipes. Events of one peer
 *   come one at a time and in order, those of its exchanges and parts among them. With `on_event` NULL no callback but `on_wake` runs, and
 *   events are fetched with sw_node_next_events on a thread of yours.
 * Handles.  Values, not pointers: sw_node, sw_listener, sw_peer, sw_exchange, sw_question, sw_part, sw_pipe, sw_topic. All zero is no handle. A stale, foreign or
 *   null handle yields SW_ERR_HANDLE, never a crash. Each object has exactly one last event (NODE_CLOSED,
 *   LISTENER_CLOSED, PEER_CLOSED, DONE, PART_DONE, PIPE_CLOSED, TOPIC_LEFT); after it the handle is stale and the object's `user` is never used again: that
 *   is where to free it. Between close and that event calls yield SW_ERR_CLOSED. `*out` of a creating call is written
 *   before the loop can see the command.
 * Exchanges opened by the peer end for you with your last reply or status: that call is their end and no DONE follows,
 *   unless sw_exchange_set_user was called on it, or it ended otherwise (cancelled, peer lost): then DONE follows.
 * Conversations.  While a request runs that was opened with `converse`, either side may ask (sw_exchange_ask): the other is
 *   told by QUESTION and answers, by a message that may ask in turn or by a status, and ANSWER tells. Each question has exactly
 *   one ANSWER, before the DONE of its exchange if that ends first. The exchange ends with its last reply or status as any.
 * Parts.  A message or reply may carry up to 64 streams and files. Its bytes go by sw_part_write and come as PART_DATA,
 *   as far as they were asked for by sw_part_read. The side that receives a part must read it or stop it (sw_part_cancel);
 *   an exchange is over when its parts are. A side's last reply or status stops what it never read.
 * Topics.  What is published to a topic goes to all peers who have joined it. TOPIC_JOINED says that they were told: nothing that they
 *   publish from there on is missed. Messages of one publisher come in its order, each once; what a peer was too slow for is counted at
 *   both ends: TOPIC_DROPPED at the publisher, `dropped` of the next TOPIC_MESSAGE at the other.
 * Events.  `const sw_event *` is valid until its callback returns, or until sw_event_release for fetched ones;
 *   sw_event_retain keeps event and views longer. Ignore event types that you do not know. A message counts as taken
 *   when its callback returns or its event is released; receipts and the sender's flow control follow from that.
 * Ownership.  sw_bytes and sw_text that you pass are copied when queued. sw_message is the zero-copy way: on success the
 *   library takes your reference, on failure you keep it. Opaque pointers (sw_identity, sw_message, sw_draft) are freed by you.
 * Options.  Each struct starts with `size`, set by its _init function; zero is the default of every other field. NULL
 *   stands for all defaults. Durations: 0 is the default, SW_NEVER is none.
 * Errors.  sw_result has fixed numbers; sw_result_name, _text and _hint say what happened and what to do about it,
 *   sw_error_detail the particulars of this thread's last failure. Nothing throws, aborts or prints.
 * Backpressure.  A send is taken while less than `send_queue_bytes` are queued for the peer, overshooting by at most one
 *   message; otherwise SW_ERR_AGAIN, nothing is taken, and exactly one SW_EVENT_WRITABLE follows once it is below half.
 *   The same while a quarter of that waits in one exchange of many replies (for its next), and while 65,536 messages to
 *   the peer wait for the receipt they want (for one more of them). A side's last reply that wants no receipt, its status
 *   and cancel are always taken.
 * Connecting.  sw_node_connect tells PEER_CONNECTING before each address that is tried, with its number and what was wrong with
 *   the one before; then PEER_CONNECTED, or PEER_CLOSED with all of it.
 * Broken connections.  A session outlives them: PEER_SUSPENDED, then PEER_CONNECTING for each dial of the side that had dialled,
 *   then PEER_RESUMED, or after lease_ms PEER_CLOSED with SW_ERR_LEASE. Meanwhile everything can be called as ever: what is sent
 *   waits, deadlines run on. Nothing is lost, nothing comes twice, and streams and files go on at the byte.
 * Ending.  sw_node_shutdown returns at once; the last event is SW_EVENT_NODE_CLOSED with a report. sw_node_close =
 *   shutdown + wait + free. On a loop thread of the node it returns SW_ERR_THREAD and changes nothing; after it no callback runs.
 * Fork.  Once a node was opened: in the child of a fork every call returns SW_ERR_FORK; the parent is not affected.
 * Versions.  The ABI number (libsealwire.so.N) is apart from the release. Structs grow at their end only, enumerations by
 *   new values only.
 */
#ifndef SEALWIRE_H
#define SEALWIRE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SW_API __attribute__((visibility("default")))
#else
#define SW_API
#endif

/* ---- Results ---------------------------------------------------------------------------------------------------- */

typedef enum sw_result {
    SW_OK = 0,
    /* The call itself */
    SW_ERR_ARG = 1,
    SW_ERR_HANDLE = 2,
    SW_ERR_CLOSED = 3,
    SW_ERR_STATE = 4,
    SW_ERR_THREAD = 5,
    SW_ERR_FORK = 6,
    SW_ERR_NO_MEMORY = 7,
    SW_ERR_AGAIN = 8,
    SW_ERR_SYSTEM = 9,
    SW_ERR_TOO_MANY = 10,
    /* Addresses, keys and files */
    SW_ERR_ADDRESS = 20,
    SW_ERR_NAME = 21,
    SW_ERR_IN_USE = 22,
    SW_ERR_PERMISSION = 23,
    SW_ERR_KEY_FILE = 24,
    SW_ERR_KEY = 25,
    SW_ERR_DESCRIPTORS = 26,
    SW_ERR_NOT_FOUND = 27,
    SW_ERR_FILE_TYPE = 28,
    SW_ERR_FILE_NAME = 29,
    SW_ERR_FILE_EXISTS = 30,
    SW_ERR_NO_SPACE = 31,
    SW_ERR_IO = 32,
    SW_ERR_FILE_CHANGED = 33,
    SW_ERR_DIGEST = 34,
    /* Reaching a peer */
    SW_ERR_REFUSED = 40,
    SW_ERR_UNREACHABLE = 41,
    SW_ERR_CONNECT_TIMEOUT = 42,
    SW_ERR_NO_ANSWER = 43,
    SW_ERR_HANDSHAKE_TIMEOUT = 44,
    SW_ERR_HANDSHAKE = 45,
    SW_ERR_NOT_ALLOWED = 46,
    SW_ERR_REJECTED = 47,
    SW_ERR_SELF = 48,
    SW_ERR_WS_UPGRADE = 55,
    SW_ERR_WS_REFUSED = 56,
    SW_ERR_WS_PROTOCOL = 57,
    /* How a session ended */
    SW_ERR_PEER_LOST = 60,
    SW_ERR_TRUNCATED = 61,
    SW_ERR_PEER_CLOSED = 62,
    SW_ERR_REPLACED = 63,
    SW_ERR_PROTOCOL = 64,
    SW_ERR_FLOW = 65,
    SW_ERR_LIMIT = 66,
    SW_ERR_RECORD = 67,
    SW_ERR_SILENT = 68,
    SW_ERR_LEASE = 69,
    SW_ERR_SLOW = 70,
    /* What became of a message or an exchange */
    SW_ERR_TIMEOUT = 80,
    SW_ERR_CANCELLED = 81,
    SW_ERR_TOO_BIG = 82,
    SW_ERR_NO_ROUTE = 83,
    SW_ERR_UNSUPPORTED = 84,
    SW_ERR_NOT_SENT = 85,
    SW_ERR_OUTCOME_UNKNOWN = 86,
    SW_ERR_HANDLER_FAILED = 87,
    SW_ERR_CLOSING = 88,
    SW_ERR_STATUS = 89,
    /* TLS: the certificates of tls:// and wss://, and what else keeps it from coming about */
    SW_ERR_TLS_CONFIG = 100,
    SW_ERR_TLS_HANDSHAKE = 101,
    SW_ERR_TLS_PLAIN = 102,
    SW_ERR_TLS_VERSION = 103,
    SW_ERR_TLS_EXPIRED = 104,
    SW_ERR_TLS_NOT_YET = 105,
    SW_ERR_TLS_HOST = 106,
    SW_ERR_TLS_ADDRESS = 107,
    SW_ERR_TLS_SELF_SIGNED = 108,
    SW_ERR_TLS_UNKNOWN_CA = 109,
    SW_ERR_TLS_NOT_CA = 110,
    SW_ERR_TLS_USAGE = 111,
    SW_ERR_TLS_WEAK = 112,
    SW_ERR_TLS_REVOKED = 113,
    SW_ERR_TLS_CLIENT_CERTIFICATE = 114,
    SW_ERR_TLS_REFUSED = 115
} sw_result;

/* Stable name ("no_answer"), one clause of text, and what to do about it. Never NULL; static. Since 0.1. */
SW_API const char *sw_result_name(sw_result result);
SW_API const char *sw_result_text(sw_result result);
SW_API const char *sw_result_hint(sw_result result);
/* Particulars of this thread's last failed call ("port 70000 is above 65535"). Never NULL; valid until this thread's next
 * call into the library. Since 0.1. */
SW_API const char *sw_error_detail(void);

/* ---- Plain types ------------------------------------------------------------------------------------------------ */

typedef struct sw_bytes {
    const void *data; /* may be NULL when size is 0 */
    size_t size;
} sw_bytes;

typedef struct sw_text { /* UTF-8, no terminating zero needed */
    const char *data;
    size_t size;
} sw_text;

#define SW_NEVER UINT32_MAX /* as a duration: none */
#define SW_PEER_ID_SIZE 32u
#define SW_PEER_ID_TEXT_SIZE 53u /* 52 characters of base32 and a zero */
#define SW_SEED_SIZE 32u
#define SW_NETWORK_TEXT_SIZE 65u      /* "swnet1", 58 characters of base32 and a zero */
#define SW_TOPIC_SECRET_TEXT_SIZE 67u /* "swtopic1", 58 characters of base32 and a zero */
#define SW_ADDRESS_TEXT_SIZE 320u     /* an address or ticket and a zero */

typedef struct sw_peer_id { /* an Ed25519 public key */
    uint8_t bytes[SW_PEER_ID_SIZE];
} sw_peer_id;

typedef struct sw_node {
    uint64_t value;
} sw_node;
typedef struct sw_listener {
    uint64_t value;
} sw_listener;
typedef struct sw_peer {
    uint64_t value;
} sw_peer;
typedef struct sw_exchange {
    sw_peer peer;
    uint64_t number; /* never used again within its peer */
} sw_exchange;
typedef struct sw_question {
    sw_exchange exchange;
    uint64_t number; /* within its exchange */
} sw_question;
typedef struct sw_part {
    sw_exchange exchange;
    uint64_t number; /* within its exchange; even for parts of the side that opened it */
} sw_part;
typedef struct sw_pipe {
    uint64_t value;
} sw_pipe;
typedef struct sw_topic { /* one join of a topic */
    uint64_t value;
} sw_topic;
typedef uint32_t sw_route; /* from sw_node_intern; 0 is none */

typedef struct sw_identity sw_identity;
typedef struct sw_message sw_message;
typedef struct sw_file sw_file;
typedef struct sw_hasher sw_hasher;
typedef struct sw_draft sw_draft;
typedef struct sw_limits sw_limits;
typedef struct sw_event sw_event;

/* For the _init functions of options: all zero, which is each field's default. They are inline so that a program that was
 * built with an older header has no more written than its structs hold. Other languages set `size` and zero the rest. */
static inline size_t sw_zero(void *data, size_t size) {
    unsigned char *at = (unsigned char *)data;
    for (size_t i = 0; i < size; ++i) at[i] = 0;
    return size;
}

/* ---- The library ------------------------------------------------------------------------------------------------ */

/* The release, e.g. "0.1.0"; static. Since 0.1. */
SW_API const char *sw_version(void);
/* The ABI number, the N of libsealwire.so.N. Since 0.1. */
SW_API uint32_t sw_abi_version(void);
/* One line: release, bundled libraries with their versions, compiler; static. Since 0.1. */
SW_API const char *sw_build_info(void);

/* ---- Identities, networks, tickets ------------------------------------------------------------------------------ */

/* An identity is a 32-byte Ed25519 seed, kept in guarded memory. Free with sw_identity_free; a node that was opened with
 * it keeps its own reference. Since 0.1. */
SW_API sw_result sw_identity_generate(sw_identity **out);
SW_API sw_result sw_identity_from_seed(sw_bytes seed, sw_identity **out);
/* A path holds no zero byte. SW_ERR_KEY_FILE when the file is missing, malformed, or readable by others than its owner.
 * Since 0.1. */
SW_API sw_result sw_identity_load(sw_text path, sw_identity **out);
/* Creates the file with mode 0600; SW_ERR_KEY_FILE when it exists already. Since 0.1. */
SW_API sw_result sw_identity_save(const sw_identity *identity, sw_text path);
/* The secret itself, and the public key that others know it by. Since 0.1. */
SW_API sw_result sw_identity_seed(const sw_identity *identity, uint8_t out[SW_SEED_SIZE]);
SW_API sw_result sw_identity_id(const sw_identity *identity, sw_peer_id *out);
SW_API void sw_identity_free(sw_identity *identity); /* NULL is allowed */

/* 52 characters of base32; SW_ERR_KEY for any other text, and for what is no key. Since 0.1. */
SW_API sw_result sw_peer_id_parse(sw_text text, sw_peer_id *out);
SW_API sw_result sw_peer_id_text(const sw_peer_id *id, char out[SW_PEER_ID_TEXT_SIZE]);

/* A network separates users who must not meet: a public name, or a secret text that starts with swnet1. Since 0.1. */
SW_API sw_result sw_network_generate(char out[SW_NETWORK_TEXT_SIZE]);
/* The secret of a passphrase, by Argon2id; takes about a second and 256 MiB. SW_ERR_KEY when it has less
 * than 12 bytes. Since 0.1. */
SW_API sw_result sw_network_from_passphrase(sw_text passphrase, char out[SW_NETWORK_TEXT_SIZE]);
SW_API sw_result sw_network_check(sw_text network);

/* ticket = address "#" peer id, e.g. tcp://127.0.0.1:9000#... Since 0.1. */
SW_API sw_result sw_ticket_make(sw_text address, const sw_peer_id *id, char out[SW_ADDRESS_TEXT_SIZE]);
SW_API sw_result sw_ticket_split(sw_text ticket, char address[SW_ADDRESS_TEXT_SIZE], sw_peer_id *id);

/* ---- Events ----------------------------------------------------------------------------------------------------- */

typedef enum sw_event_type {
    SW_EVENT_LISTENING = 1,       /* a listener is ready: sw_event.listening */
    SW_EVENT_LISTENER_CLOSED = 2, /* last event of a listener, or it could not listen: sw_event.closed */
    SW_EVENT_PEER_ASKS = 3,       /* a peer proved its key and asks to connect: sw_event.peer_asks */
    SW_EVENT_PEER_CONNECTED = 4,  /* sw_event.connected */
    SW_EVENT_PEER_CLOSING = 5,    /* the peer drains: it takes no new exchanges; sw_event.closed has code and text */
    SW_EVENT_PEER_CLOSED = 6,     /* last event of a peer, or it could not be reached: sw_event.closed */
    SW_EVENT_MESSAGE = 7,         /* the peer sent or requests: sw_event.message */
    SW_EVENT_REPLY = 8,           /* one of several replies: sw_event.message; DONE follows in the end */
    SW_EVENT_DONE = 9,            /* last event of an exchange: sw_event.done */
    SW_EVENT_WRITABLE = 10,       /* after SW_ERR_AGAIN: there is room again */
    SW_EVENT_RECEIPT = 11,        /* outcomes of messages: sw_event.receipt */
    SW_EVENT_PONG = 12,           /* answer to sw_peer_ping: sw_event.pong */
    SW_EVENT_STALLED = 13,        /* large messages wait because earlier ones are not taken */
    SW_EVENT_LOG = 14,            /* sw_event.log */
    SW_EVENT_NODE_CLOSED = 15,    /* last event of a node: sw_event.node_closed */
    SW_EVENT_PART_DATA = 16,      /* bytes of a part that this side reads: sw_event.part_data */
    SW_EVENT_PART_WRITABLE = 17,  /* after SW_ERR_AGAIN of sw_part_write: there is room again; sw_event.part_writable */
    SW_EVENT_PART_DONE = 18,      /* last event of a part, sent or received: sw_event.part_done */
    SW_EVENT_PART_PROGRESS = 19,  /* of a file that is sent or saved: sw_event.part_progress. Since 0.1 */
    SW_EVENT_QUESTION = 20, /* the peer asks on an exchange that runs: sw_event.message, to be answered. Since 0.1 */
    SW_EVENT_ANSWER = 21,   /* to a question of this side, once: sw_event.answer. Since 0.1 */
    SW_EVENT_PEER_PROVED =
        22, /* dialled with data_on_demand: its key is proved, sw_peer_hello is awaited; sw_event.proved. Since 0.1 */
    SW_EVENT_PIPE_OUTPUT = 23,     /* of a pipe of the application: there is something for sw_pipe_take. Since 0.1 */
    SW_EVENT_PIPE_ROOM = 24,       /* after SW_ERR_AGAIN of sw_pipe_give: there is room again. Since 0.1 */
    SW_EVENT_PIPE_CLOSED = 25,     /* last event of such a pipe: sw_event.pipe_closed. Since 0.1 */
    SW_EVENT_HTTP_REQUEST = 26,    /* of a web listener, to be answered by sw_http_answer: sw_event.http. Since 0.1 */
    SW_EVENT_HTTP_UPGRADE = 27,    /* it asks to become a WebSocket: likewise, by status 101 or another. Since 0.1 */
    SW_EVENT_PEER_SUSPENDED = 28,  /* its connection broke; the session waits for another: sw_event.link. Since 0.1 */
    SW_EVENT_PEER_CONNECTING = 29, /* an address of it is tried, or it is dialled again: sw_event.link. Since 0.1 */
    SW_EVENT_PEER_RESUMED = 30,    /* it goes on, with nothing lost, or has another address: sw_event.link. Since 0.1 */
    /* Accepting failed, mostly as the process is out of file descriptors: it is tried again by itself, each second at least, and what
     * is up stays. Once for each time of trouble; sw_event.closed has result and detail. Since 0.1 */
    SW_EVENT_LISTENER_PAUSED = 31,
    SW_EVENT_LISTENER_RESUMED = 32, /* it accepts again; sw_event.closed. Since 0.1 */
    SW_EVENT_TOPIC_MESSAGE = 33,    /* published by a peer: sw_event.topic_message. Since 0.1 */
    SW_EVENT_TOPIC_JOINED =
        34, /* once: all peers that were connected have answered the join: sw_event.topic. Since 0.1 */
    SW_EVENT_TOPIC_MEMBER_JOINED = 35, /* a peer has joined, or had before this node did: sw_event.topic. Since 0.1 */
    /* It has left, or is gone: sw_event.topic. Behind what it has published, but for what still waited for credit of this node when it
     * left. Since 0.1 */
    SW_EVENT_TOPIC_MEMBER_LEFT = 36,
    SW_EVENT_TOPIC_REFUSED =
        37, /* a peer that came later does not let this node join, in this session: sw_event.topic. Since 0.1 */
    SW_EVENT_TOPIC_WRITABLE = 38, /* after SW_ERR_AGAIN of sw_topic_publish: there is room again. Since 0.1 */
    SW_EVENT_TOPIC_DROPPED = 39,  /* messages of this node do not reach a peer: sw_event.topic. Since 0.1 */
    SW_EVENT_TOPIC_LEFT = 40,     /* last event of a join: sw_event.topic. Since 0.1 */
    SW_EVENT_TOPIC_ASKS =
        41 /* may a peer join, publish? To be answered by sw_node_decide_topic: sw_event.topic. Since 0.1 */
} sw_event_type;

/* How two ends prove who they are and protect what they say. Both say the same: it is never negotiated. Since 0.1. */
typedef enum sw_channel {
    SW_CHANNEL_SEALWIRE = 0,
    /* The published Secret Handshake with its box stream, for talking to its deployed peers. Such a peer is known by its key, decided
     * about and limited like any other, but has no session: no messages, no post-quantum secrecy, and nothing goes on when its
     * connection breaks. It carries one stream each way, the parts stream_out and stream_in of its PEER_CONNECTED: written by
     * sw_part_write, asked for by sw_part_read, told of by PART_DATA and PART_WRITABLE, with the user of sw_exchange_set_user or else
     * the peer's. The end of a stream (its goodbye) is PART_DONE with SW_OK, an end without one SW_ERR_TRUNCATED; no DONE comes. When
     * both have ended, PEER_CLOSED follows with SW_OK. sw_part_cancel of what comes drops the rest of it, of what goes breaks the
     * connection off. sw_peer_close ends stream_out and awaits the peer's end until the deadline. All calls that need a session
     * yield SW_ERR_UNSUPPORTED. Any number of such peers may have one key. */
    SW_CHANNEL_SHS1 = 1
} sw_channel;
#define SW_SHS_NETWORK_SIZE 32u /* the network identifier of a Secret Handshake */

typedef enum sw_expects { SW_EXPECTS_NONE = 0, SW_EXPECTS_ONE = 1, SW_EXPECTS_MANY = 2 } sw_expects;

#define SW_IDEMPOTENCY_KEY_SIZE 16u
#define SW_TRACE_CONTEXT_SIZE 25u /* W3C: trace id (16 bytes), parent id (8), flags (1) */
#define SW_METADATA_MAX 4096u     /* bytes of all names and values, with 2 to 4 more for each pair */

/* One entry of a message's metadata. A name has 1 to 255 bytes; names may come more than once and keep their order. */
typedef struct sw_pair {
    sw_text name;
    sw_text value;
} sw_pair;

/* How a body is encoded; the library carries it and never looks inside. */
typedef enum sw_body_type {
    SW_BODY_BYTES = 0,
    SW_BODY_UTF8 = 1,
    SW_BODY_JSON = 2,
    SW_BODY_MESSAGEPACK = 3,
    SW_BODY_CBOR = 4
} sw_body_type;

typedef enum sw_part_kind { SW_PART_STREAM = 0, SW_PART_FILE = 1 } sw_part_kind;
#define SW_PARTS_MAX 64u         /* of one message */
#define SW_EVERYTHING UINT64_MAX /* as an amount to read */

/* What is stated of a part before its first byte. Start from all zero. */
typedef struct sw_part_head {
    sw_text name;        /* of a file: its name, which is data and not to be used as a path; at most 255 bytes */
    uint64_t size;       /* in bytes, if size_known: exactly so many will come */
    uint32_t size_known; /* 1 or 0 */
    uint32_t kind;       /* sw_part_kind */
    uint32_t type;       /* sw_body_type */
    uint32_t reserved;
    sw_file *file; /* from sw_file_open: the library itself sends it. NULL: sw_part_write does */
    uint32_t reserved_2[2];
} sw_part_head;

/* A part of a message that was received. */
typedef struct sw_part_info {
    sw_part part;
    sw_part_head head;
} sw_part_info;

typedef enum sw_log_level {
    SW_LOG_DEBUG = 0,
    SW_LOG_INFO = 1,
    SW_LOG_WARNING = 2,
    SW_LOG_ERROR = 3,
    SW_LOG_NONE = 4
} sw_log_level;

typedef struct sw_event_listening {
    sw_listener listener;
    sw_text address; /* with the real port */
    sw_text ticket;  /* address and this node's peer id: what others connect to */
} sw_event_listening;

typedef struct sw_event_closed {
    sw_listener listener; /* of LISTENER_CLOSED */
    sw_result result;     /* SW_OK: closed by this side in good order */
    uint32_t code;        /* of the peer's REJECT or CLOSE: below 64 the protocol's, 64 to 4,095 its application's */
    sw_text text;         /* the peer's words */
    sw_text detail;       /* particulars; with sw_result_text and _hint a whole explanation */
    sw_text endpoint;     /* the address dialled, listened on, or connected from */
    sw_peer_id id;        /* the peer's id: proved, or of the ticket when it could not be reached */
    uint64_t not_sent;    /* messages to this peer that surely were not sent */
    uint64_t outcome_unknown; /* messages of which nobody can tell */
    /* With SW_ERR_REPLACED: the session with the same peer that stands in its place and whose PEER_CONNECTED has come; null where it
     * is none of this node's. Since 0.1. */
    sw_peer instead;
} sw_event_closed;

typedef struct sw_event_peer_asks {
    sw_peer_id id;   /* proved by the handshake */
    sw_text address; /* where it connects from */
    sw_bytes data;   /* its application's data, at most 60 KiB */
    sw_listener listener;
    uint32_t allowed; /* 1: it would be let in without a question; the answer's data are wanted. Since 0.1 */
    uint32_t channel; /* sw_channel; with SW_CHANNEL_SHS1 neither side gives data. Since 0.1 */
    sw_pipe pipe;     /* from sw_node_accept_pipe, if it came that way. Since 0.1 */
} sw_event_peer_asks;

/* Since 0.1. */
typedef struct sw_event_proved {
    sw_peer_id id; /* proved by the handshake: that of the ticket */
    sw_text address;
} sw_event_proved;

typedef struct sw_event_connected {
    sw_peer_id id; /* proved by the handshake */
    sw_text address;
    sw_bytes data;               /* the other application's data */
    uint32_t dialled;            /* 1: this side connected; 0: the peer did */
    uint32_t suite;              /* 1 ChaCha20-Poly1305, 2 AEGIS-256 */
    int64_t clock_difference_ms; /* the peer's wall clock minus this one's */
    sw_listener listener;        /* through which it came; null when dialled */
    sw_pipe pipe;                /* of the application, that carries it; null: none. Since 0.1 */
    /* Since 0.1. */
    uint32_t channel; /* sw_channel */
    uint32_t reserved;
    sw_part stream_out; /* with SW_CHANNEL_SHS1 what this side sends, else null */
    sw_part stream_in;  /* ... and what the peer sends */
} sw_event_connected;

/* A session and what carries it. Its peer's handle, exchanges, parts and messages go on through all of this; PEER_CLOSED alone ends
 * it. Since 0.1. */
typedef struct sw_event_link {
    sw_peer_id id;
    sw_text address; /* the connection that is lost, dialled or found */
    /* SUSPENDED: how it was lost; CONNECTING: why the last one failed, or was lost; RESUMED: SW_OK, or why a move failed, whereupon the
     * session goes on over the connection that it has */
    sw_result result;
    sw_text detail; /* particulars of that */
    /* CONNECTING: which one this is, from 1: of sw_node_connect the addresses of its host, each of which is tried when the one before
     * has failed or not answered for 250 ms (SW_ERR_CONNECT_TIMEOUT), of a session the dials since its connection broke.
     * RESUMED: how many it took, 0: the peer dialled */
    uint32_t attempt;
    uint32_t suspended_ms; /* RESUMED: for how long nothing was carried */
    uint32_t suite;        /* RESUMED: 1 ChaCha20-Poly1305, 2 AEGIS-256 */
    uint32_t reserved;
    sw_pipe pipe; /* RESUMED: of the application, that carries it from now on; null: none. Since 0.1 */
} sw_event_link;

typedef struct sw_event_message {
    sw_exchange exchange;
    sw_peer_id id; /* of the peer, proved */
    sw_text route;
    sw_bytes body;
    uint32_t type;       /* sw_body_type */
    uint32_t expects;    /* sw_expects: 1 and 2 want an answer by sw_exchange_reply or sw_exchange_status */
    uint32_t timeout_ms; /* the requester's deadline for the first reply; SW_NEVER when it has none */
    uint32_t last; /* 1: nothing more comes from that side; of a MESSAGE, 0: either side may ask until it is answered */
    void *route_user;          /* given to sw_node_route */
    const sw_part_info *parts; /* each is to be read or cancelled */
    size_t part_count;
    /* Since 0.1. */
    const sw_pair *metadata;
    size_t metadata_count;
    sw_bytes trace_context;   /* SW_TRACE_CONTEXT_SIZE bytes, or none */
    sw_bytes idempotency_key; /* SW_IDEMPOTENCY_KEY_SIZE bytes, or none */
    sw_question question;     /* of QUESTION: what is to be answered */
    uint64_t place;           /* among the messages of its side: for sw_exchange_uuid */
} sw_event_message;

typedef struct sw_event_done {
    sw_exchange exchange;
    sw_peer_id id;
    sw_result
        result;    /* SW_OK; SW_ERR_STATUS and a code from 64 on; or what the protocol says: no_route, timeout, ... */
    uint32_t code; /* of the STATUS or CANCEL that ended it; 0 when none did */
    sw_text text;  /* the words that came with it */
    sw_bytes body; /* the one reply of a request that expects one */
    uint32_t type; /* sw_body_type of the body */
    uint32_t has_body;     /* 0: answered by a status alone, or not at all */
    sw_bytes details;      /* that came with an error; since 0.1 */
    uint32_t details_type; /* sw_body_type of the details */
    uint32_t reserved;
    /* Of the one reply. Since 0.1. */
    const sw_pair *metadata;
    size_t metadata_count;
    sw_bytes trace_context;
    uint64_t place; /* of the one reply: for sw_exchange_uuid */
} sw_event_done;

/* Since 0.1. */
typedef struct sw_event_answer {
    sw_question question; /* of this side; its handle is stale now */
    sw_peer_id id;
    sw_result result; /* SW_OK; SW_ERR_STATUS and a code from 64 on; or why there is none: cancelled, timeout, ... */
    uint32_t code;
    sw_text text;
    sw_bytes body;
    uint32_t type;     /* sw_body_type of the body */
    uint32_t has_body; /* 0: answered by a status alone, or not at all */
    sw_question asks;  /* the answer asks in turn: what is to be answered; else all zero */
    const sw_part_info *parts;
    size_t part_count;
    const sw_pair *metadata;
    size_t metadata_count;
    sw_bytes trace_context;
    uint64_t place; /* for sw_exchange_uuid */
} sw_event_answer;

typedef struct sw_event_part_data {
    sw_part part;
    sw_peer_id id;
    sw_bytes body;
    uint64_t offset; /* of its first byte in the part */
} sw_event_part_data;

typedef struct sw_event_part_writable {
    sw_part part;
} sw_event_part_writable;

typedef struct sw_event_part_done {
    sw_part part;
    sw_peer_id id;
    sw_result result;          /* SW_OK: whole; SW_ERR_CANCELLED and others: why not */
    uint32_t code;             /* of the cancel that ended it; 0 when none did */
    uint64_t bytes;            /* that were sent or delivered */
    sw_bytes digest;           /* that its sender gave with the end; of parts received */
    uint32_t digest_algorithm; /* 1: BLAKE2b-256; others the application's */
    uint32_t own;              /* 1: a part that this side sent */
    uint32_t reserved;
    sw_text detail; /* of a file: the particulars of what failed */
} sw_event_part_done;

typedef struct sw_event_part_progress {
    sw_part part;
    sw_peer_id id;
    uint64_t bytes; /* that were read and sent, or received and written, so far */
    uint64_t size;  /* of all, if size_known */
    uint32_t size_known;
    uint32_t own; /* 1: a part that this side sends */
} sw_event_part_progress;

/* How far a message has come. It is queued when its call has returned. Since 0.1. */
typedef enum sw_receipt_stage {
    SW_RECEIPT_ACKNOWLEDGED = 1, /* the receiver has taken it: nothing more is told of it */
    SW_RECEIPT_WRITTEN =
        2 /* the system has taken the last byte of its body, and may still lose it, or the peer says it came */
} sw_receipt_stage;

/* WRITTEN comes once, where it is wanted, and before any other word on the message, or never when it failed before. A failure
 * comes at most once and as the last word. Those that this side learns of (not sent, outcome unknown, cancelled) come for every
 * message without an answer, wanted or not; that the receiver refused one (no handler, too big) where ACKNOWLEDGED is wanted. */
typedef struct sw_event_receipt {
    uint64_t first, last; /* receipt numbers, both included */
    sw_result result; /* SW_OK, with the stage; else SW_ERR_NOT_SENT, SW_ERR_OUTCOME_UNKNOWN, SW_ERR_CANCELLED, ... */
    uint32_t stage;   /* sw_receipt_stage; 0 of a failure. Since 0.1 */
} sw_event_receipt;

typedef struct sw_event_pong {
    uint64_t token;
    uint64_t round_trip_us;
    int64_t clock_difference_ms;
} sw_event_pong;

/* Among them: a callback that ran for a second or more, told when it returned, with its route and peer. */
typedef struct sw_event_log {
    uint32_t level; /* sw_log_level */
    sw_result result;
    sw_text text;
    sw_text peer; /* short form of the peer's id, or empty */
    sw_text address;
    sw_text route; /* that it is about, as the peer wrote it, or empty. Since 0.1 */
} sw_event_log;

/* Since 0.1. */
typedef struct sw_event_topic_message {
    sw_topic topic;
    /* Of the publisher, proved: the peer's own, or of a topic with a secret that of whom has signed the message, who need not be the
     * peer that has sent it. Where a hub passed it on (passed_on) and there is no secret: the hub's, as nobody proves who published it. */
    sw_peer_id id;
    sw_text name; /* of the topic */
    sw_bytes body;
    uint32_t type;       /* sw_body_type */
    uint32_t last_value; /* 1: it was published before this node had joined, and is the last one that was */
    /* Messages of a publisher to a topic are numbered from 0, anew when the topic is joined or its session begins: those before
     * this one are number, of which `dropped` directly before it did not come: this node was too slow, its max_message_bytes too
     * small, or the publisher had no memory for them. With a secret `dropped` counts what its signer has published, since it joined
     * and whatever the session: it may be more than number, and what was refused as a replay has a number and counts as nothing. */
    uint64_t number;
    uint64_t dropped;
    uint32_t
        passed_on; /* 1: by a hub. number counts what the hub sent; dropped, as with a secret, what the publisher did */
    uint32_t reserved;
} sw_event_topic_message;

/* Of the other events of topics. Since 0.1. */
typedef struct sw_event_topic {
    sw_topic topic;
    sw_text name;
    sw_peer_id id;      /* of the member; else all zero */
    sw_result result;   /* JOINED: why the last of those who refused did; REFUSED: why; else SW_OK */
    uint32_t code;      /* ... as the protocol or the peer says */
    uint32_t publisher; /* MEMBER_JOINED, MEMBER_LEFT: 1: it only publishes */
    uint32_t refused;   /* JOINED: peers that refused */
    uint64_t count;     /* JOINED: peers that have agreed; DROPPED: messages since the last of these events */
    uint64_t bytes;     /* DROPPED: of their bodies */
    uint32_t rights;    /* ASKS: those that are to be decided on, of sw_topic_right */
    uint32_t hub;       /* MEMBER_JOINED, MEMBER_LEFT, DROPPED: 1: a hub, for others that are not told of */
} sw_event_topic;

/* Of PIPE_OUTPUT and PIPE_ROOM. Since 0.1. */
typedef struct sw_event_pipe {
    sw_pipe pipe;
} sw_event_pipe;

/* Since 0.1. */
typedef struct sw_event_pipe_closed {
    sw_pipe pipe;  /* its handle is stale now */
    sw_bytes rest; /* the last bytes for the other end, behind those that were taken: to be sent before it is closed */
    sw_result result; /* why, as of the peer that it carried; SW_OK: in good order */
    uint32_t reserved;
    sw_text detail;
} sw_event_pipe_closed;

/* One request at a web listener; by value, and stale once it was answered or is over. Since 0.1. */
typedef struct sw_http_request {
    sw_listener listener;
    uint64_t number;
} sw_http_request;

/* Of HTTP_REQUEST and HTTP_UPGRADE. Since 0.1. */
typedef struct sw_event_http {
    sw_http_request request;
    sw_text method;
    sw_text path;           /* as it was sent, percent-encoded; it begins with a slash */
    sw_text query;          /* behind the question mark */
    sw_text address;        /* the client's: tcp://host:port, tls://... */
    sw_bytes body;          /* whole */
    const sw_pair *headers; /* names in small letters, in their order; one name may come more than once */
    size_t header_count;
    uint32_t secure; /* 1: over TLS */
    uint32_t reserved;
} sw_event_http;

#define SW_CLOSE_REPORT_PEERS 8
typedef struct sw_close_peer {
    sw_peer_id id;
    uint64_t not_sent;
    uint64_t outcome_unknown;
    uint64_t exchanges; /* that were cut off */
} sw_close_peer;

typedef struct sw_close_report {
    uint32_t size;
    uint32_t deadline_passed; /* 1: not everything could be finished in time */
    uint64_t not_sent;        /* messages, over all peers */
    uint64_t outcome_unknown;
    uint64_t exchanges;        /* that were cut off */
    uint64_t events_held;      /* retained, or fetched by calls before the one that gives this, and not released */
    uint32_t callback_blocked; /* 1: a callback was still running at the deadline */
    uint32_t peer_count;       /* peers with something undelivered; the first SW_CLOSE_REPORT_PEERS are listed */
    sw_close_peer peers[SW_CLOSE_REPORT_PEERS];
    /* The route whose callback was running at the deadline, or else one with a request that was not answered; or empty. */
    char blocking_route[256];
} sw_close_report;

typedef struct sw_event_node_closed {
    const sw_close_report *report;
} sw_event_node_closed;

struct sw_event {
    uint32_t size; /* of this event with its variant */
    uint32_t type; /* sw_event_type */
    sw_node node;
    sw_peer peer; /* null for events of no peer */
    void *user;   /* of the object (exchange, peer, listener, node) whose event this is */
    const sw_peer_id
        *id; /* of the peer, proved by the handshake; of PEER_CLOSED before that, what the ticket says. NULL for
                             events of no peer, and until a peer that asked has proved it */
    union {
        sw_event_listening listening;
        sw_event_closed closed;
        sw_event_peer_asks peer_asks;
        sw_event_connected connected;
        sw_event_message message;
        sw_event_done done;
        sw_event_receipt receipt;
        sw_event_pong pong;
        sw_event_log log;
        sw_event_node_closed node_closed;
        sw_event_part_data part_data;
        sw_event_part_writable part_writable;
        sw_event_part_done part_done;
        sw_event_part_progress part_progress;
        sw_event_answer answer;
        sw_event_proved proved;
        sw_event_pipe pipe;
        sw_event_pipe_closed pipe_closed;
        sw_event_http http;
        sw_event_link link;
        sw_event_topic_message topic_message;
        sw_event_topic topic;
    } as;
};

typedef void (*sw_event_fn)(const sw_event *event, void *user);
typedef void (*sw_wake_fn)(void *user);
typedef void (*sw_free_fn)(void *data, void *user);

/* Keeps an event and everything it points to, beyond callback, peer and node; give *out back with sw_event_release. Does
 * not delay when its message counts as taken. Since 0.1. */
SW_API sw_result sw_event_retain(const sw_event *event, const sw_event **out);
/* Within the callback of a MESSAGE or TOPIC_MESSAGE: keeps it likewise, and it counts as taken when *out is released, not when the callback
 * returns. Until then it is charged to its sender, who has to wait when there is much of it: so a program lets only so
 * many handlers run. Fetched events are that way already: SW_ERR_STATE. Since 0.1. */
SW_API sw_result sw_event_hold(const sw_event *event, const sw_event **out);
/* For events from sw_node_next_events (each once, in any order, on any thread), from sw_event_retain and
 * from sw_event_hold. Since 0.1. */
SW_API void sw_event_release(const sw_event *event);

/* ---- Nodes ------------------------------------------------------------------------------------------------------ */

typedef enum sw_access {
    SW_ACCESS_ASK = 0,        /* peers on the list come in, about others SW_EVENT_PEER_ASKS asks */
    SW_ACCESS_ALLOW_LIST = 1, /* peers on the list come in, others are refused with not_allowed */
    SW_ACCESS_ANYONE = 2      /* every peer that knows this node's key and network comes in */
} sw_access;

typedef struct sw_node_options {
    uint32_t size;
    uint32_t access;             /* sw_access */
    const sw_identity *identity; /* NULL: a new one, of this node only */
    sw_text network;             /* name or secret; empty is the public network of that name */
    sw_event_fn on_event;        /* callbacks on a loop thread; NULL: events are fetched */
    sw_wake_fn on_wake;          /* with on_event NULL: called on a loop thread when the queue turns from empty to not
                                    empty, once until it was drained; may call nothing of ours */
    void *user;                  /* for on_event, on_wake, and of events of no other object */
    const sw_peer_id *allowed;   /* copied */
    size_t allowed_count;
    uint32_t log_level;         /* sw_log_level of SW_EVENT_LOG; default (0) is SW_LOG_INFO when log is set */
    uint32_t log;               /* 1: deliver SW_EVENT_LOG */
    uint64_t send_queue_bytes;  /* per peer, default 8 MiB */
    uint64_t max_message_bytes; /* that this node takes, default 16 MiB, at most 64 MiB */
    uint64_t window_bytes;      /* that wait for their handler, per peer; at start, default 256 KiB, least 64 KiB */
    uint32_t exchange_slots;    /* requests that a peer may have running here, default 256, least 16 */
    uint32_t
        handshake_timeout_ms; /* for messages 1 to 3, and again for the answer when a session is resumed; default 5,000 */
    uint32_t decision_timeout_ms; /* for the answer to SW_EVENT_PEER_ASKS, default 10,000 */
    uint32_t request_timeout_ms;  /* for requests that name none, default 30,000 */
    uint32_t padding_bytes; /* what is sent is filled up to records of a multiple of 64, 256, 1,024 or 4,096 bytes, so
                                      that their sizes tell less; default 0: not. Since 0.1. */
    uint32_t reserved;      /* 0 */
    /* What applications tell each other with the handshake. Since 0.1. */
    sw_bytes accept_data;            /* for who is let in without a question; at most 60 KiB, copied */
    uint32_t application_data_bytes; /* that are taken of a peer's; default 2 KiB, at most 60 KiB */
    /* 1: SW_EVENT_PEER_ASKS comes about those too that the list or SW_ACCESS_ANYONE lets in, so that each is told something of
     * its own: data of sw_peer_accept, which is awaited as ever. */
    uint32_t ask_allowed;
    /* That all peers may use together beyond what each is granted at first (send queues beyond 64 KiB, windows beyond
     * window_bytes, messages beyond 64 KiB while they come, streams beyond 16 KiB), a quarter for each of these four; default
     * 1 GiB, at least 1 MiB. Who finds it used up waits. Since 0.1. */
    uint64_t memory_bytes;
    /* FOR DEBUGGING ONLY, never where others' messages pass: a file that gets the keys of all sessions as they begin, so that
     * WHOEVER HAS IT CAN READ EVERYTHING that was recorded of them. Appended to, created with mode 0600; refused when others than
     * its owner may read it. One SW_EVENT_LOG of level warning says so when the node opens, also where `log` is 0. Lines as in
     * PROTOCOL.md, "Key log". Empty: none. Since 0.1. */
    sw_text key_log;
    /* 1: any number of sessions with one peer. By default there is one, whoever dials: see sw_node_connect. Since 0.1. */
    uint32_t several_sessions;
    uint32_t reserved_2;          /* 0 */
    sw_limits *connection_limits; /* of all that come in, with those of a listener; NULL: none. Since 0.1 */
    /* A session whose connection breaks, or goes silent, is kept for so long, with all that runs in it: SW_EVENT_PEER_SUSPENDED.
     * The side that has dialled dials again, and the session goes on where it was: nothing is lost, nothing comes twice. Default
     * 60,000; SW_NEVER: it ends with its connection. Each side has its own; the shorter counts. A node keeps 1,024 such sessions,
     * 64 MiB of what they have to send again, and max_suspended_per_address of one address; the oldest ends. Since 0.1. */
    uint32_t lease_ms;
    /* The wait before each such dial is drawn between 0 and redial_ms, doubled each time up to redial_max_ms; default 250 and
     * 30,000. Since 0.1. */
    uint32_t redial_ms;
    uint32_t redial_max_ms;
    /* After so long without a byte from the peer it is asked for a sign of life, and after heartbeat_count times as long the
     * connection is given up (SW_ERR_SILENT). Default 15,000 and 3; SW_NEVER: never. Since 0.1. */
    uint32_t heartbeat_ms;
    uint32_t heartbeat_count;
    /* The side that has dialled replaces a connection by one with fresh keys after so long; default 7,200,000; SW_NEVER: never.
     * Nothing waits for it, and nothing is told but the new address at the other side, by PEER_RESUMED. Since 0.1. */
    uint32_t refresh_ms;
    uint32_t reserved_3; /* 0 */
    /* Of sessions without a connection, those whose peers dialled from one address (or /64) and are on no list: so many are kept.
     * Default 16, also for loopback only where it is set; SW_NEVER: no limit. Since 0.1. */
    uint32_t max_suspended_per_address;
    /* Over how many loop threads its peers are spread: default 1, at most 64. With several each peer stays on one to its end, with
     * all others of its key, and its events still come one at a time and in order; but callbacks, on_event as well as on_wake, run
     * at once for different peers, and one that takes long holds up the peers of its thread alone. Listeners, handshakes that
     * come in, and pipes that were accepted have a thread of their own then, whose callbacks run beside those of peers; PIPE_CLOSED still
     * comes last. A peer's events may begin before sw_node_connect returns to a callback, and what another thread is about to deliver
     * is delivered behind sw_node_pause. Since 0.1. */
    uint32_t loop_threads;
    /* Topics that a peer may have joined here, of any name: default 1,024, at most 1,048,576. Each takes some hundred bytes. Since 0.1. */
    uint32_t topics_per_peer;
    /* 1: this node is a hub. What its peers publish to a topic it passes on to those of its other peers that have joined the same, by
     * tags: it need not know the topic's name, and cannot read what has a secret. So all who are at it, or at others that name each
     * other, publish to each other as if they were connected; nothing comes twice, and nothing goes around in circles (at most 8
     * sessions). On a hub SW_SLOW_BLOCK is SW_SLOW_DROP_OLDEST; what does not leave for a slow peer, 4 MiB a topic, is told in the log.
     * Between hubs every topic of their clients counts: see topics_per_peer. Since 0.1. */
    uint32_t hub;
    /* The peers that are hubs, for this node: these may join topics to pass on what it publishes, and give it what others have
     * published. Not named, a hub is refused (SW_ERR_NOT_ALLOWED), and what it passes on is not taken; both stands in the log. It could
     * keep messages back, and of topics without a secret say what it likes: name those that you trust so far. With several loop
     * threads they are all on one, so that what several of them bring of a publisher comes in order. Copied. Since 0.1. */
    const sw_peer_id *hubs;
    size_t hubs_count;
} sw_node_options;

static inline void sw_node_options_init(sw_node_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* Opens a node, whose loop threads run from then on; and the peer id of its identity. Since 0.1. */
SW_API sw_result sw_node_open(const sw_node_options *options, sw_node *out);
SW_API sw_result sw_node_id(sw_node node, sw_peer_id *out);
/* Replaces the allow-list; connections that are up stay. Since 0.1. */
SW_API sw_result sw_node_set_allowed(sw_node node, const sw_peer_id *ids, size_t count);
/* Handles messages to `route`: `fn` is called in place of on_event; when NULL the events come the usual way. Messages to
 * routes that are not registered are answered `no_route`. An empty route is the default for all that have no other.
 * Since 0.1. */
SW_API sw_result sw_node_route(sw_node node, sw_text route, sw_event_fn fn, void *user);
SW_API sw_result sw_node_unroute(sw_node node, sw_text route);
/* Pauses delivery of MESSAGEs to a route, of all peers: they wait, each charged to its peer's window, so that in the end their
 * senders wait. Also at once from a callback. SW_ERR_STATE when the route is not registered; messages to others go on, and
 * whatever belongs to exchanges that run. A request that waits and is cancelled, or whose deadline passes, is never heard
 * of. Since 0.1. */
SW_API sw_result sw_node_pause(sw_node node, sw_text route);
/* Lets so many more be delivered from now on, in their order, then it is paused again; SW_EVERYTHING ends the pause.
 * Since 0.1. */
SW_API sw_result sw_node_resume(sw_node node, sw_text route, uint64_t messages);
/* A number that stands for the route in sw_send_options: saves looking it up. Since 0.1. */
SW_API sw_result sw_node_intern(sw_node node, sw_text route, sw_route *out);
/* Up to `max` events, in the order they happened; *count may be 0. Only with on_event NULL. Since 0.1. */
SW_API sw_result sw_node_next_events(sw_node node, const sw_event **out, size_t max, size_t *count);
/* Blocks until there is an event (SW_OK) or the time is over (SW_ERR_TIMEOUT). Not on a loop thread of the node. Since 0.1. */
SW_API sw_result sw_node_wait(sw_node node, uint32_t timeout_ms);
/* A descriptor that is readable while there are events; owned and cleared by the library. Since 0.1. */
SW_API sw_result sw_node_fd(sw_node node, int *out);
/* Ends listeners and peers, in good order until the deadline (default 2,000 ms), then hard. Since 0.1. */
SW_API sw_result sw_node_shutdown(sw_node node, uint32_t deadline_ms);
/* Shutdown, wait, free. Events that were not fetched are dropped. `report` may be NULL; set its size. SW_ERR_HANDLE when the
 * node's last event has been already: its report was in that. Since 0.1. */
SW_API sw_result sw_node_close(sw_node node, uint32_t deadline_ms, sw_close_report *report);

/* ---- Limits of connections ----------------------------------------------------------------------------------------- */

/* How many connections may come in: counted together over all listeners and nodes that are given the same sw_limits. 0: no limit.
 * Connections that this side dials do not count. */
typedef struct sw_limits_options {
    uint32_t size;
    uint32_t max_connections; /* of peers that have proved their key and come in; the next are told SW_ERR_LIMIT */
    uint32_t max_per_key;     /* the same, of one key; one that replaces a session counts as that */
    /* These count connections from their first moment, with handshakes, strangers and what a web listener answers by HTTP, also from
     * loopback, never on unix sockets and pipes of the application. The next are closed at once, without a word. */
    uint32_t max_per_address; /* IPv4, also as ::ffff:a.b.c.d, or IPv6 */
    uint32_t max_per_subnet;  /* of IPv6: a /64 */
} sw_limits_options;

static inline void sw_limits_options_init(sw_limits_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* Nodes and listeners keep their own reference. Any thread. Since 0.1. */
SW_API sw_result sw_limits_create(const sw_limits_options *options, sw_limits **out);
/* Other numbers from now on; connections that are there stay. Since 0.1. */
SW_API sw_result sw_limits_set(sw_limits *limits, const sw_limits_options *options);
SW_API void sw_limits_free(sw_limits *limits); /* NULL is allowed */

/* Set `size`. Since 0.1. */
typedef struct sw_limits_counts {
    uint32_t size;
    uint32_t reserved;
    uint64_t connections;        /* now: of peers that have come in */
    uint64_t refused_by_address; /* by max_per_address and max_per_subnet */
    uint64_t refused_by_limit;   /* by max_connections and max_per_key */
} sw_limits_counts;
/* Set out->size. Since 0.1. */
SW_API sw_result sw_limits_get_counts(const sw_limits *limits, sw_limits_counts *out);
/* ---- TLS -------------------------------------------------------------------------------------------------------- */

/* tls://host:port is TLS 1.3 or 1.2 around the connection, and wss://host:port/path a WebSocket within that: so it passes where
 * only TLS does, and certificates keep out who has none. Who the peer is, and that nobody in between reads along, is proved by its
 * key inside it as on any other transport. The name or address of the host is always checked. */

typedef enum sw_tls_clients {
    SW_TLS_CLIENTS_ANY = 0,     /* none is asked for */
    SW_TLS_CLIENTS_ASKED = 1,   /* one that is shown has to be right */
    SW_TLS_CLIENTS_REQUIRED = 2 /* none gets in without */
} sw_tls_clients;

/* Copied by the call that gets it. What is PEM may be given as text or as the name of a file, not both; several may stand in
 * one. Files are read at each call. Who listens needs certificate and key; who connects needs nothing. Since 0.1. */
typedef struct sw_tls_options {
    uint32_t size;
    uint32_t clients; /* of a listener: sw_tls_clients; needs a CA */
    sw_text ca;       /* whom to trust, in place of the system's: SSL_CERT_FILE, SSL_CERT_DIR, else the usual places */
    sw_text ca_file;
    sw_text certificate; /* the own one first, then those between it and its CA */
    sw_text certificate_file;
    sw_text key; /* of the first certificate, without a passphrase */
    sw_text key_file;
    sw_text crl; /* revocation lists of these CAs */
    sw_text crl_file;
    sw_text server_name;  /* when connecting: what the certificate has to be for, in place of the address's host */
    uint32_t min_version; /* 12 or 13: TLS 1.2 or 1.3; default 12 */
    uint32_t reserved;
} sw_tls_options;

static inline void sw_tls_options_init(sw_tls_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}

/* ---- Listeners -------------------------------------------------------------------------------------------------- */

/* What a web listener answers besides its WebSockets. It has a WebSocket for each GET of its own path (of the address; "/" where
 * that has none) whose Origin header is absent, names the host that was asked, or is listed; what nothing below answers gets 404.
 * Since 0.1. */
typedef struct sw_http_options {
    uint32_t size;
    uint32_t requests; /* 1: SW_EVENT_HTTP_REQUEST for what health, metrics and folder do not answer */
    uint32_t upgrades; /* 1: SW_EVENT_HTTP_UPGRADE for each WebSocket, whatever its path, once its origin was checked */
    uint32_t reserved;
    sw_text health_path;  /* answers 200, "ok"; empty: none. So are the next two */
    sw_text metrics_path; /* the node's counters and those of its routes as Prometheus text; no peer is named */
    sw_text
        folder; /* GET and HEAD of its files, by the path of the URL; index.html for one that ends with a slash. Never: links,
                        names that begin with a dot, anything outside */
    sw_text origins;         /* what Origin headers may say, separated by spaces: https://example.com; * is all */
    uint32_t max_head_bytes; /* of a request; default 8,192, then 431 */
    uint32_t max_body_bytes; /* default 1 MiB, then 413 */
    uint32_t head_ms;        /* from the connection, or the first byte of a later request; default 5,000, then 408 */
    uint32_t body_ms;        /* default 30,000, then 408 */
    uint32_t answer_ms;      /* for sw_http_answer, and for each 64 KiB of what is sent; default 30,000, then 503 */
    uint32_t idle_ms;        /* between requests; default 15,000 */
    /* That are no WebSockets; default 1,024, and at most half of the process's descriptors. The next ends that which has waited longest */
    uint32_t max_connections;
    uint32_t reserved2;
} sw_http_options;

static inline void sw_http_options_init(sw_http_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}

typedef struct sw_listen_options {
    uint32_t size;
    uint32_t backlog;     /* default 511 */
    void *user;           /* of the listener's events */
    uint32_t ipv6_only;   /* 1: [::] takes no IPv4 */
    uint32_t unix_mode;   /* of the socket file, default 0600 */
    uint32_t keepalive_s; /* TCP keepalive, 0 none */
    /* Limits of handshakes whose first message shows the network key. SW_NEVER: no limit. What is beyond is met by silence,
     * as every stranger is, and told in the log as busy. */
    uint32_t max_handshakes; /* begun and not finished, at once; default 512. The next are refused */
    /* The next three count by address (IPv6: its /64), never on unix sockets, and on loopback only where they are set. */
    uint32_t max_handshakes_per_address; /* default 16. The next are refused */
    uint32_t handshakes_per_second;   /* that begin; default 20. The next wait, at most for the handshake's deadline */
    uint32_t handshake_burst;         /* that begin at once before that pace holds; default 5 */
    uint32_t handshake_share_percent; /* of the loop thread's time; default 50, 100 no limit. The next wait likewise */
    uint32_t channel;                 /* sw_channel of all that connect here. Since 0.1 */
    uint32_t reserved;
    sw_bytes shs_network;        /* with SW_CHANNEL_SHS1: SW_SHS_NETWORK_SIZE bytes, which both ends know. Since 0.1 */
    const sw_http_options *http; /* of ws:// and wss://, whose port answers HTTP as well; read by the call. Since 0.1 */
    /* Since 0.1. */
    sw_limits *connection_limits; /* of this listener, beside those of its node; NULL: none */
    /* Who may connect by its address: "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"; IPv4 within IPv6 is IPv4. Who is in a range that is
     * denied is closed at once, without a word; so is, where any is allowed, who is in none of those. */
    const sw_text *allow_addresses;
    size_t allow_count;
    const sw_text *deny_addresses;
    size_t deny_count;
    const sw_tls_options *tls; /* of tls:// and wss://, and needed there. Since 0.1 */
} sw_listen_options;

static inline void sw_listen_options_init(sw_listen_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* tcp://host:port or tls://host:port (port 0: any), unix:///path, unix:@abstract, ws://host:port/path or
 * wss://host:port/path. SW_EVENT_LISTENING or SW_EVENT_LISTENER_CLOSED follows. Since 0.1. */
SW_API sw_result sw_node_listen(sw_node node, sw_text url, const sw_listen_options *options, sw_listener *out);
/* From SW_EVENT_LISTENING on; SW_ERR_STATE before. Since 0.1. */
SW_API sw_result sw_listener_ticket(sw_listener listener, char out[SW_ADDRESS_TEXT_SIZE]);
SW_API sw_result sw_listener_close(sw_listener listener);
/* Replaces the lists of sw_listen_options; connections that are up stay. SW_ERR_ARG when one of them cannot be read: the detail names
 * it, and nothing has changed. Since 0.1. */
SW_API sw_result sw_listener_set_addresses(sw_listener listener, const sw_text *allow, size_t allow_count,
                                           const sw_text *deny, size_t deny_count);
/* Other certificates, for connections from now on; those that are up stay. Its files are read here: call it again when they
 * have changed. SW_ERR_TLS_CONFIG leaves the listener as it was, SW_ERR_UNSUPPORTED: it has none. Since 0.1. */
SW_API sw_result sw_listener_set_tls(sw_listener listener, const sw_tls_options *options);

typedef struct sw_http_answer_options {
    uint32_t size;
    uint32_t reserved;
    const sw_pair *headers; /* Content-Type, Set-Cookie, ...; Content-Length and Connection are the library's */
    size_t header_count;
} sw_http_answer_options;

static inline void sw_http_answer_options_init(sw_http_answer_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* Answers a request, once: with a status from 200 to 599, or 101 for an upgrade that is granted, whose peer then comes as any
 * other. SW_ERR_HANDLE when it was answered already, or nobody waits any more; SW_ERR_ARG for headers that cannot be sent. Since 0.1. */
SW_API sw_result sw_http_answer(sw_http_request request, uint32_t status, sw_bytes body,
                                const sw_http_answer_options *options);

/* ---- Peers ------------------------------------------------------------------------------------------------------ */

typedef struct sw_connect_options {
    uint32_t size;
    uint32_t timeout_ms; /* for everything: name, connection, handshake, decision; default 20,000 */
    void *user;          /* of the peer's events */
    sw_bytes data; /* for the other application, with the handshake; at most 60 KiB, of which it takes 2 by default */
    uint32_t keepalive_s;    /* TCP keepalive, 0 none */
    uint32_t data_on_demand; /* 1: the data are given by sw_peer_hello, after SW_EVENT_PEER_PROVED. Since 0.1 */
    uint32_t channel;        /* sw_channel; with SW_CHANNEL_SHS1 there are no data. Since 0.1 */
    uint32_t reserved;
    sw_bytes shs_network;      /* with SW_CHANNEL_SHS1: SW_SHS_NETWORK_SIZE bytes, which both ends know. Since 0.1 */
    const sw_tls_options *tls; /* of tls:// and wss://; NULL: the system's CAs, no certificate of its own. Since 0.1 */
} sw_connect_options;

static inline void sw_connect_options_init(sw_connect_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* SW_EVENT_PEER_CONNECTING follows for each address that is tried, then SW_EVENT_PEER_CONNECTED or SW_EVENT_PEER_CLOSED. Messages may be sent at once: they leave when it is up.
 * There is one session with each peer, unless both nodes have `several_sessions`:
 * - With a session already, or one that comes up while this is under way, dialled by either side, it ends by PEER_CLOSED with
 *   SW_ERR_REPLACED and `instead`: go on with that. To have a new session, close the old one first.
 * - Of two nodes that dial each other at once, the dial of the one with the lower id stands, and both end up with one session.
 * - Of dials to several addresses of a peer at once one asks to be let in, and the next when that has failed, or has had no
 *   answer for a second at most. One that gives way before it has asked has not told its `data`.
 * - A peer that connects anew replaces its session: that ends by PEER_CLOSED with SW_ERR_REPLACED and `instead`. At the other
 *   side, where another process with the same key took its place, `instead` is null; do not dial again then, or wait long
 *   before it, or the two would replace each other for ever.
 * - A dial that leads to a session that is up does not tell the peer its `data`, and whoever closes that session ends it for all
 *   who got it. With a session that is suspended it is one more attempt to resume it, wherever its ticket leads; a peer that vanished without
 *   a word looks up until heartbeats miss it.
 * - A session that is being closed goes on to its own deadline beside a newer one; a second such one has 2 s.
 * Since 0.1. */
SW_API sw_result sw_node_connect(sw_node node, sw_text ticket, const sw_connect_options *options, sw_peer *out);
/* The answer to SW_EVENT_PEER_PROVED: data for the other application, at most 60 KiB, of which it takes 2 KiB unless it says
 * otherwise (else the peer is closed with SW_ERR_TOO_BIG). Within what is left of the 5 s of the handshake; without it the peer
 * is closed with SW_ERR_HANDSHAKE_TIMEOUT. Since 0.1. */
SW_API sw_result sw_peer_hello(sw_peer peer, sw_bytes data);
/* The answer to SW_EVENT_PEER_ASKS, with at most 60 KiB for the other application, of which it takes 2 KiB unless it says
 * otherwise. Since 0.1. */
SW_API sw_result sw_peer_accept(sw_peer peer, sw_bytes data);
/* code 0 (not_allowed) or 64 to 4,095; text of at most 1,024 bytes. Since 0.1. */
SW_API sw_result sw_peer_reject(sw_peer peer, uint32_t code, sw_text text);
/* Of the peer's events from now on. Since 0.1. */
SW_API sw_result sw_peer_set_user(sw_peer peer, void *user);
/* What the handshake proved, or before that what the ticket says; SW_ERR_STATE while neither is known. Since 0.1. */
SW_API sw_result sw_peer_get_id(sw_peer peer, sw_peer_id *out);
/* The peer with that id, whichever side has dialled and over whatever: one that is connected, or whose session waits for another
 * connection (what is sent waits, too), and which neither side is closing. Of several sessions it is the one that came last. SW_ERR_STATE:
 * there is none. From just before PEER_CONNECTED on, which may wait to be fetched. Peers of SW_CHANNEL_SHS1 have no session, and are
 * not found. Since 0.1. */
SW_API sw_result sw_node_find_peer(sw_node node, const sw_peer_id *id, sw_peer *out);
/* SW_EVENT_PONG follows, of a suspended session once it goes on; token below 2^62. SW_ERR_TOO_MANY beyond 10 a second. Since 0.1. */
SW_API sw_result sw_peer_ping(sw_peer peer, uint64_t token);
/* The session goes on over another connection, which is dialled now: to `address` (tcp://..., unix:..., without a key), which is
 * where it is dialled from then on once that has worked, or, empty, where it was dialled before. So it can move to another port or
 * transport, on either side, and a program that knows better need not wait for the next attempt. What it has serves on until the
 * other is up; SW_EVENT_PEER_CONNECTING and SW_EVENT_PEER_RESUMED tell: with a result that is not SW_OK the address could not be
 * reached, and the session goes on, and is dialled, where it was; while it is suspended both are dialled in turn. SW_ERR_STATE when
 * it is not connected yet, or when no address is known: the peer has dialled. Since 0.1. */
SW_API sw_result sw_peer_move(sw_peer peer, sw_text address);
/* The same as sw_node_pause and sw_node_resume for all MESSAGEs of one peer; where both are paused, both have to let a message
 * pass. Closing the peer or the node ends every pause: what waits is delivered, and requests can still be answered. When the
 * peer is lost, one-way messages that wait are delivered before PEER_CLOSED. Since 0.1. */
SW_API sw_result sw_peer_pause(sw_peer peer);
SW_API sw_result sw_peer_resume(sw_peer peer, uint64_t messages);
/* Ends the session: running exchanges may end until the deadline (default 2,000 ms). code 0 or 64 to 4,095; text of at
 * most 1,024 bytes. Since 0.1. */
SW_API sw_result sw_peer_close(sw_peer peer, uint32_t code, sw_text text, uint32_t deadline_ms);

/* ---- Pipes of the application ------------------------------------------------------------------------------------ */

/* Whatever carries bytes in order and without loss, in both directions, can carry sessions: a serial line, a QUIC stream, an SSH
 * channel, two pipes of a child process. The application moves the bytes, the library encrypts them and does all else as over
 * TCP. A session is suspended when its pipe breaks, and ends after lease_ms (SW_NEVER: at once), as nobody can dial a pipe again: it
 * goes on over another one by sw_node_connect_pipe to the same id (the handle that this gives ends with SW_ERR_REPLACED), or at an
 * address, by sw_peer_move or sw_node_connect. Any thread. */
typedef struct sw_pipe_options {
    uint32_t size;
    uint32_t
        buffer_bytes; /* that wait in each direction before who brings them has to; default 256 KiB, at most 64 MiB */
    void *user;       /* of the pipe's events */
    /* Where it leads, for people: `address` of events and log lines. At most 255 bytes without control characters; default "pipe:".
     * One that begins with tcp:// (an address and a port) is counted by limits as a connection from there. */
    sw_text address;
    sw_listener listener; /* of a pipe that is accepted: whose limits hold for it and which events name; null: none */
    /* Of a pipe that is accepted without a listener, which else says it. Since 0.1. */
    uint32_t channel; /* sw_channel */
    uint32_t reserved;
    sw_bytes shs_network; /* with SW_CHANNEL_SHS1: SW_SHS_NETWORK_SIZE bytes, which both ends know */
} sw_pipe_options;

static inline void sw_pipe_options_init(sw_pipe_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* sw_node_connect over such a pipe, at whose other end a node accepts it that holds the key of `id`. Both handles are written;
 * SW_EVENT_PEER_CONNECTED or SW_EVENT_PEER_CLOSED follows for the peer, and SW_EVENT_PIPE_CLOSED for the pipe when nothing needs
 * it any more. keepalive_s means nothing here, and the channel is that of `options`. Since 0.1. */
SW_API sw_result sw_node_connect_pipe(sw_node node, const sw_peer_id *id, const sw_pipe_options *pipe_options,
                                      const sw_connect_options *options, sw_pipe *pipe, sw_peer *peer);
/* Takes what dials at the other end of such a pipe as a listener takes a connection: the allow-list, SW_EVENT_PEER_ASKS, deadlines.
 * SW_EVENT_PEER_CONNECTED names the pipe; who is refused, or a stranger, leads to SW_EVENT_PIPE_CLOSED alone. Since 0.1. */
SW_API sw_result sw_node_accept_pipe(sw_node node, const sw_pipe_options *options, sw_pipe *pipe);
/* Bytes that came from the other end, in their order: taken as a whole, and copied, while less than buffer_bytes wait; otherwise
 * SW_ERR_AGAIN, nothing is taken, and exactly one SW_EVENT_PIPE_ROOM follows once it is below half. SW_ERR_STATE behind
 * sw_pipe_end or sw_pipe_fail. Since 0.1. */
SW_API sw_result sw_pipe_give(sw_pipe pipe, sw_bytes bytes);
/* Bytes for the other end, as far as they are there and `room` has room; *size 0: none for now, and SW_EVENT_PIPE_OUTPUT tells of the
 * next. It comes once until then: who cannot carry more may leave the rest, which slows the peer's senders down, and take it when it
 * can. SW_ERR_CLOSED when all was taken and no more will come: the place to end one's own direction, if it has an end of its own.
 * Since 0.1. */
SW_API sw_result sw_pipe_take(sw_pipe pipe, void *into, size_t room, size_t *size);
/* The other end sends no more: behind the bytes that were given. Since 0.1. */
SW_API sw_result sw_pipe_end(sw_pipe pipe);
/* The pipe is broken or closed: nothing can be sent any more. Bytes that were given are used first. SW_EVENT_PIPE_CLOSED follows;
 * `text` of at most 1,024 bytes says why (detail of SW_EVENT_PEER_CLOSED). Since 0.1. */
SW_API sw_result sw_pipe_fail(sw_pipe pipe, sw_text text);

/* ---- Messages --------------------------------------------------------------------------------------------------- */

typedef struct sw_send_options {
    uint32_t size;
    uint32_t type;            /* sw_body_type */
    uint32_t receipt;         /* the sum of each sw_receipt_stage that SW_EVENT_RECEIPT is to tell; 0: failures alone */
    sw_route route;           /* in place of the text */
    sw_message *message;      /* in place of the body */
    uint64_t *receipt_number; /* where to store the number that SW_EVENT_RECEIPT will name; may be NULL */
    uint32_t more;            /* of replies: 1, this is not the last one */
    const sw_part_head *parts; /* streams and files that it carries */
    size_t part_count;         /* at most SW_PARTS_MAX */
    sw_part *part_handles;     /* where to store that many handles */
    void *user;                /* sw_peer_send with parts opens an exchange, which ends with DONE: its user */
    sw_exchange *exchange;     /* ... and where to store its handle; may be NULL */
    /* Carried to the other side's event, never looked at. Since 0.1. */
    const sw_pair *metadata; /* at most SW_METADATA_MAX bytes */
    size_t metadata_count;
    sw_bytes trace_context;   /* SW_TRACE_CONTEXT_SIZE bytes */
    sw_bytes idempotency_key; /* SW_IDEMPOTENCY_KEY_SIZE bytes */
    const sw_draft *draft;    /* in place of route and type, and metadata before those given here. Since 0.1 */
} sw_send_options;

typedef struct sw_request_options {
    uint32_t size;
    uint32_t type;
    sw_route route;
    uint32_t timeout_ms; /* for the first reply; 0: the node's, SW_NEVER: none */
    sw_message *message;
    void *user; /* of the exchange's events */
    /* 0 or SW_EXPECTS_ONE: one reply, with DONE; SW_EXPECTS_MANY: any number of REPLYs, then DONE. While parts of either side
     * are not at their end, the one reply comes as REPLY, and DONE when they are. */
    uint32_t expects;
    const sw_part_head *parts;
    size_t part_count;
    sw_part *part_handles;
    const sw_pair *metadata; /* as in sw_send_options. Since 0.1 */
    size_t metadata_count;
    sw_bytes trace_context;
    /* Of SW_IDEMPOTENCY_KEY_SIZE random bytes: the peer runs no second request of this key and identity, but answers it as the
     * first, whose end it waits for; SW_ERR_OUTCOME_UNKNOWN, for ten minutes, where it has that answer no more (60 s, 1,024 of
     * them, 4 MiB) or never kept it (many replies, parts, or none). */
    sw_bytes idempotency_key;
    uint32_t between_ms; /* from each reply to the next or the end; 0: none. Since 0.1 */
    uint32_t total_ms;   /* for the whole exchange; 0: none. Since 0.1 */
    uint32_t converse;   /* 1: either side may ask while it runs. Since 0.1 */
    /* With more than one attempt the request is made again, under one idempotency key (of the library's making where none is
     * given), so that its handler runs once: where timeout_ms, which is for each attempt, passes, and where the peer refused it
     * unrun for a limit (no release does that yet). What runs goes on beside the next attempt, whose answer it is; total_ms is for
     * all of them. One reply, no parts and no conversation. Its exchange is the first attempt's, and so are its UUIDs, with one
     * DONE: that of the answer, or how the last attempt failed. Its deadlines cannot be changed. A session that ends ends it. The
     * body is kept until its DONE; up to four attempts run at once, each in a slot of the peer's. Since 0.1. */
    uint32_t attempts; /* at most; 0 or 1: one */
    /* Before the second attempt is a pause of anything from 0 to that, doubled for each; default 100, SW_NEVER none. */
    uint32_t backoff_ms;
    uint32_t backoff_max_ms; /* the longest; default 5,000, or backoff_ms where that is more */
    const sw_draft *draft;   /* as in sw_send_options. Since 0.1 */
} sw_request_options;

static inline void sw_send_options_init(sw_send_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
static inline void sw_request_options_init(sw_request_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}

typedef struct sw_draft_options {
    uint32_t size;
    uint32_t type;           /* sw_body_type */
    const sw_pair *metadata; /* at most SW_METADATA_MAX bytes, those of each message's own included */
    size_t metadata_count;
} sw_draft_options;

static inline void sw_draft_options_init(sw_draft_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* What many messages of a node have in common: a route, a type, and metadata, checked and encoded once, so that each costs less to
 * send. It goes into the options of sw_peer_send and sw_peer_request, whose route is then empty and whose type is 0 (else
 * SW_ERR_ARG, as for a peer of another node); key, trace context and more metadata may be given beside it. It never changes:
 * any threads may use it at once. SW_ERR_TOO_MANY beyond 65,536 routes of drafts and sw_node_intern. Since 0.1. */
SW_API sw_result sw_draft_create(sw_node node, sw_text route, const sw_draft_options *options, sw_draft **out);
/* Once no call uses it: messages that were taken need it no more, and its node may be closed already. NULL is allowed. Since 0.1. */
SW_API void sw_draft_free(sw_draft *draft);
/* Fire and forget; encrypted, in order, delivered at most once. Routes: 1 to 255 bytes of UTF-8. Since 0.1. */
SW_API sw_result sw_peer_send(sw_peer peer, sw_text route, sw_bytes body, const sw_send_options *options);
/* One reply, status or failure: SW_EVENT_DONE follows, exactly once. `out` may be NULL. Since 0.1. */
SW_API sw_result sw_peer_request(sw_peer peer, sw_text route, sw_bytes body, const sw_request_options *options,
                                 sw_exchange *out);
SW_API sw_result sw_exchange_reply(sw_exchange exchange, sw_bytes body, const sw_send_options *options);
/* A fast reply or an error: code 0, SW_CODE_..., or 64 to 4,095; text of at most 1,024 bytes. Code 0 goes behind
 * the replies and parts of this side that still wait for the requester's credit; any other code drops them, so that the
 * requester learns of a failure at once. Since 0.1. */
SW_API sw_result sw_exchange_status(sw_exchange exchange, uint32_t code, sw_text text);

typedef struct sw_status_options {
    uint32_t size;
    uint32_t details_type; /* sw_body_type */
    sw_bytes details;      /* of an error, for programs: what was wrong with which argument, for example */
} sw_status_options;

static inline void sw_status_options_init(sw_status_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* The same with details, which DONE brings to the requester. SW_ERR_TOO_BIG when they have more than 4,096 bytes together with
 * the text. Since 0.1. */
SW_API sw_result sw_exchange_status_with(sw_exchange exchange, uint32_t code, sw_text text,
                                         const sw_status_options *options);
/* Ends it at both ends. code 0 (cancelled) or 64 to 4,095. Since 0.1. */
SW_API sw_result sw_exchange_cancel(sw_exchange exchange, uint32_t code);
SW_API sw_result sw_exchange_set_user(sw_exchange exchange, void *user);

#define SW_QUESTIONS_MAX 16u /* dialogues of each side open in one exchange */

/* Asks the other side of an exchange: of a request of this side with `converse`, or of one of the peer whose MESSAGE says that
 * `last` is 0. SW_EVENT_ANSWER follows, exactly once. SW_ERR_STATE when nobody can be asked (no conversation, or one side has
 * ended), SW_ERR_UNSUPPORTED when the peer's release cannot, SW_ERR_TOO_MANY beyond SW_QUESTIONS_MAX, SW_ERR_AGAIN as for sends.
 * Options as of sw_exchange_reply without `more`; the requester's side takes no receipts. Since 0.1. */
SW_API sw_result sw_exchange_ask(sw_exchange exchange, sw_bytes body, const sw_send_options *options, sw_question *out);
/* Answers a question of the peer. With `back` the answer asks in turn, without limit of turns: an ANSWER to *back follows. Always
 * taken, as a last reply is. SW_ERR_HANDLE once it was answered. Since 0.1. */
SW_API sw_result sw_question_answer(sw_question question, sw_bytes body, const sw_send_options *options,
                                    sw_question *back);
/* Answers it by a code and words alone, as sw_exchange_status. Since 0.1. */
SW_API sw_result sw_question_status(sw_question question, uint32_t code, sw_text text);

/* The UUID (version 8) of a message, derived at both ends and equal there: of this side's (own 1) or the peer's (own 0) message at
 * that place: 0 is the one that opened the exchange, or the first reply of the other side. Of a one-way message the exchange
 * comes from sw_send_options.exchange and from its event. SW_ERR_STATE before the peer is connected, SW_ERR_HANDLE once it is
 * closed; the exchange itself may be over. Since 0.1. */
SW_API sw_result sw_exchange_uuid(sw_exchange exchange, uint32_t own, uint64_t place, uint8_t out[16]);
/* SW_OK while it runs, SW_ERR_CLOSED when its last event is on the way, SW_ERR_HANDLE after that. Since 0.1. */
SW_API sw_result sw_exchange_running(sw_exchange exchange);

typedef struct sw_running {
    uint32_t size;
    uint32_t reserved;
    uint64_t requests;     /* of this side that have not ended, with messages whose parts have not */
    uint64_t serving;      /* of the peer that are not answered */
    uint64_t questions;    /* of this side that are not answered */
    uint64_t queued_bytes; /* of messages that wait to be sent, or whose receipt the peer's session has not told */
} sw_running;
/* What runs with a peer now; set out->size. Looks at each exchange that runs. Since 0.1. */
SW_API sw_result sw_peer_running(sw_peer peer, sw_running *out);

/* What a node or a peer has done since it was opened or connected, and what it has to do now. Counting costs next to nothing;
 * the numbers are of about one moment. Set `size`; what the library does not know of is left as it is. Since 0.1. */
typedef struct sw_stats {
    uint32_t size;
    uint32_t reserved;
    uint64_t sessions;          /* that were up; of a peer 0 or 1 */
    uint64_t messages_sent;     /* that calls took: one-way, requests, replies, questions, answers */
    uint64_t messages_received; /* that went to the application */
    uint64_t body_bytes_sent;   /* of those messages, without their parts */
    uint64_t body_bytes_received;
    uint64_t part_bytes_sent; /* of streams and files that were written */
    uint64_t part_bytes_received;
    uint64_t requests_sent; /* among the messages */
    uint64_t requests_received;
    uint64_t replies_sent;
    uint64_t replies_received;
    uint64_t records_sent; /* encrypted units of the connection */
    uint64_t records_received;
    uint64_t wire_bytes_sent; /* all that went over the transport, handshake included */
    uint64_t wire_bytes_received;
    uint64_t refused_no_route; /* messages of the peer that no handler took, */
    uint64_t refused_too_big;  /* ... that were larger than max_message_bytes, */
    uint64_t refused_closing;  /* ... that came while this side closed, */
    uint64_t refused_other;    /* ... that need what this release does not know */
    uint64_t late_frames;      /* of exchanges that were over at this side */
    uint64_t cancelled;       /* of messages_sent: dropped before they left, by a cancel or the end of their exchange */
    uint64_t not_sent;        /* ... by the end of their session, */
    uint64_t outcome_unknown; /* ... or nobody can tell */
    uint64_t exchanges_cut;   /* that ran when their session ended */
    /* Now. */
    uint64_t connected;        /* sessions that are up */
    uint64_t queued_bytes;     /* of messages that wait to be sent, or that the peer's session has not told to have */
    uint64_t untaken_bytes;    /* of messages of the peer whose handlers have not taken them, with some for each */
    uint64_t requests_running; /* as in sw_running */
    uint64_t serving;
    uint64_t questions;
    uint64_t events_waiting; /* of a node: to be fetched */
    uint64_t events_held;    /* of a node: fetched or retained, and not released */
    uint64_t
        round_trip_us; /* of the last ping or heartbeat; of a node the longest of its peers'; 0: none was answered */
    /* Of a node, since it was opened. Since 0.1. */
    uint64_t accepted;           /* connections that came in, strangers among them */
    uint64_t refused_by_address; /* ... that were closed at once: not allowed, or too many from there */
    uint64_t refused_by_limit;   /* peers that had proved their key and were told that there are too many */
    uint64_t refused_busy;       /* handshakes beyond max_handshakes and max_handshakes_per_address */
    uint64_t resumed;            /* how often sessions went on over another connection. Since 0.1 */
    /* Of a node, of topics. Since 0.1. */
    uint64_t topic_dropped;   /* messages that members did not get, or may not have got: counted for each member */
    uint64_t topic_passed_on; /* that this node, as a hub, has passed on: once, for however many peers */
} sw_stats;
/* Of a session, until it is closed. Since 0.1. */
SW_API sw_result sw_peer_get_stats(sw_peer peer, sw_stats *out);
/* The sums over all peers of a node, with those that have gone. Since 0.1. */
SW_API sw_result sw_node_get_stats(sw_node node, sw_stats *out);

/* What has come to a route that is registered, or was, and what was sent to one of the peers', over all of them. Since 0.1. */
typedef struct sw_route_stats {
    uint32_t size;
    uint32_t reserved;
    /* Empty: of what was received the default, for all that have no other; of what was sent the routes beyond 1,024 of a peer, or
     * 4,096 of those that have gone. */
    sw_text route;
    uint64_t messages_received;
    uint64_t requests_received; /* among them */
    uint64_t body_bytes_received;
    uint64_t messages_sent; /* that calls took: one-way and requests, without replies and questions */
    uint64_t requests_sent; /* among them */
    uint64_t body_bytes_sent;
} sw_route_stats;
typedef void (*sw_route_stats_fn)(const sw_route_stats *stats, void *user);
/* Calls `fn` for each route, on this thread and before it returns. Since 0.1. */
SW_API sw_result sw_node_each_route(sw_node node, sw_route_stats_fn fn, void *user);

typedef enum sw_clock { SW_CLOCK_SAME = 0, SW_CLOCK_PAUSE = 1, SW_CLOCK_RESUME = 2 } sw_clock;

/* How long a requester still waits: durations from now on; 0: as it is, SW_NEVER: none. */
typedef struct sw_deadlines {
    uint32_t size;
    uint32_t next_ms;    /* to the next reply or the end */
    uint32_t between_ms; /* from each later reply to the next or the end */
    uint32_t total_ms;   /* to the end of the exchange */
    uint32_t clock; /* sw_clock: while paused no time passes, and durations that are set begin with the resumption */
    uint32_t reserved;
} sw_deadlines;

static inline void sw_deadlines_init(sw_deadlines *deadlines) {
    if (deadlines) deadlines->size = (uint32_t)sw_zero(deadlines, sizeof *deadlines);
}
/* Of a request of this side, while it runs. When one passes, the request ends with SW_ERR_TIMEOUT and the peer's handler is
 * told. SW_ERR_STATE for exchanges of the peer and for one-way messages. Since 0.1. */
SW_API sw_result sw_exchange_set_deadlines(sw_exchange exchange, const sw_deadlines *deadlines);

typedef struct sw_part_options {
    uint32_t size;
    uint32_t end;              /* 1: nothing more comes */
    sw_message *message;       /* in place of the bytes */
    sw_bytes digest;           /* with the end: what all bytes hash to, at most 64 bytes */
    uint32_t digest_algorithm; /* 1: BLAKE2b-256; 64 to 127 the application's */
    uint32_t reserved;
} sw_part_options;

static inline void sw_part_options_init(sw_part_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* Bytes of a part of this side, in their order; they may be written from the moment its message was taken. SW_ERR_AGAIN
 * while much of it waits to be sent: nothing is taken, and SW_EVENT_PART_WRITABLE follows. SW_ERR_TOO_BIG beyond its stated
 * size, SW_ERR_ARG for an end before it, SW_ERR_CLOSED when the peer wants no more of it. Since 0.1. */
SW_API sw_result sw_part_write(sw_part part, sw_bytes bytes, const sw_part_options *options);
/* Lets that many more bytes of a part of the peer be delivered; what comes beyond stays, up to its credit. SW_ERR_HANDLE once its
 * end has come, of which SW_EVENT_PART_DONE tells. Since 0.1. */
SW_API sw_result sw_part_read(sw_part part, uint64_t bytes);
/* Of a part that this side sends: it is incomplete. Of one that it receives: no more is wanted. code 0 or 64 to 4,095.
 * SW_EVENT_PART_DONE follows at both ends. Since 0.1. */
SW_API sw_result sw_part_cancel(sw_part part, uint32_t code);

/* ---- Topics ------------------------------------------------------------------------------------------------------ */

#define SW_TOPIC_NAME_MAX 255u /* bytes */

/* What becomes of messages for a member that does not keep up, once queue_bytes of them wait. The others are not held up, but by
 * SW_SLOW_BLOCK. */
typedef enum sw_slow {
    SW_SLOW_DROP_OLDEST = 0, /* the oldest that wait for it are dropped */
    SW_SLOW_DROP_NEWEST = 1, /* new ones are, until it has got all that waits */
    SW_SLOW_BLOCK = 2,       /* SW_ERR_AGAIN for the publisher; TOPIC_WRITABLE follows when half of it is free */
    SW_SLOW_DISCONNECT = 3   /* its session is closed with SW_ERR_SLOW */
} sw_slow;

typedef struct sw_topic_options {
    uint32_t size;
    /* Of what this node publishes; for all joins of one topic the last ones given count. */
    uint32_t slow;        /* sw_slow */
    uint64_t queue_bytes; /* that may wait for the slowest member, with 64 for each message; default 4 MiB */
    /* Of what is delivered: that each publisher may have under way or waiting here, with 64 for each message; default 256 KiB, least
     * 128 KiB. What is not taken holds its publisher up, and then its slow decides. At a peer the largest
     * counts of the joins that were there when it was joined. */
    uint64_t credit_bytes;
    uint32_t publish_only; /* 1: nothing is delivered */
    uint32_t keep_last;    /* 1: the last message to all that this node publishes is kept for those who join later */
    uint32_t want_last;    /* 1: deliver it first, of each publisher that keeps it and is joined from now on */
    uint32_t reserved;
    void *user;
    /* Of sw_topic_secret_generate or _from_passphrase; empty: none. Only those who join with the same secret read what is published,
     * whoever passes it on, and see who published it; replays are dropped. Each message has 178 bytes more, and costs its publisher
     * and each member a signature. The same name with another secret, or without one, is another topic. Read before this returns.
     * Since 0.1. */
    sw_text secret;
} sw_topic_options;

static inline void sw_topic_options_init(sw_topic_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* The secret of a topic, a text that starts with swtopic1; SW_ERR_KEY from _check for any other text. Since 0.1. */
SW_API sw_result sw_topic_secret_generate(char out[SW_TOPIC_SECRET_TEXT_SIZE]);
/* That of a passphrase for the topic of that name, by Argon2id; takes about a second and 256 MiB. SW_ERR_KEY when the passphrase has
 * less than 12 bytes. Since 0.1. */
SW_API sw_result sw_topic_secret_from_passphrase(sw_text passphrase, sw_text name, char out[SW_TOPIC_SECRET_TEXT_SIZE]);
SW_API sw_result sw_topic_secret_check(sw_text secret);

/* Joins a topic at all peers, those that connect later included. A name is 1 to 255 bytes, any but a zero byte in UTF-8. Any number of
 * joins may have one name: each gets every message, and its own events. TOPIC_JOINED follows when all peers that are connected
 * have answered, each at once or when its application has decided: what they publish from then on is not missed, and what this node publishes reaches all of them who have joined.
 * Names do not leave the node: peers see a tag, by which those who know the name, and the network's secret if it has one,
 * recognise it. Since 0.1. */
SW_API sw_result sw_topic_join(sw_node node, sw_text name, const sw_topic_options *options, sw_topic *out);

/* A member of a topic. Fields may follow in later releases. Since 0.1. */
typedef struct sw_member {
    sw_peer peer;
    sw_peer_id id;
    uint32_t publisher; /* 1: nothing is for it */
    uint32_t hub;       /* 1: it is a hub, and has joined for others, maybe for itself, too */
} sw_member;
typedef uint32_t (*sw_member_fn)(const sw_member *member, void *user);

typedef struct sw_publish_options {
    uint32_t size;
    uint32_t type;       /* sw_body_type */
    sw_message *message; /* in place of the body */
    sw_peer to;          /* this member alone; null: all */
    sw_member_fn
        filter; /* members for which it returns other than 0; called on this thread before anything is published */
    void *filter_user;
    uint64_t *members; /* how many it is for; may be NULL */
} sw_publish_options;

static inline void sw_publish_options_init(sw_publish_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* To all members that are peers of this node; other joins of the node itself get nothing of it. A member gets what is published to it
 * in the order of the calls. SW_ERR_AGAIN with SW_SLOW_BLOCK alone; SW_ERR_TOO_BIG beyond this node's max_message_bytes, and a
 * member that takes less does not get it, which is told as dropped. A message for nobody is SW_OK, with 0 members; after a failure
 * *members is what it was. Since 0.1. */
SW_API sw_result sw_topic_publish(sw_topic topic, sw_bytes body, const sw_publish_options *options);
/* Calls `fn` for each member on this thread, before it returns; what `fn` returns does not matter. Since 0.1. */
SW_API sw_result sw_topic_each_member(sw_topic topic, sw_member_fn fn, void *user);
/* Ends one join, or all of a name (SW_ERR_STATE: there is none). TOPIC_LEFT follows; peers are told when no join is left. Since 0.1. */
SW_API sw_result sw_topic_leave(sw_topic topic);
SW_API sw_result sw_node_leave_topic(sw_node node, sw_text name);

/* What a peer may do with a topic of this node. */
typedef enum sw_topic_right {
    SW_TOPIC_JOIN = 1,   /* get what this node publishes */
    SW_TOPIC_PUBLISH = 2 /* be heard by it */
} sw_topic_right;

typedef enum sw_verdict {
    SW_DENY = 0,
    SW_ALLOW = 1,
    SW_ASK = 2 /* SW_EVENT_TOPIC_ASKS, and sw_node_decide_topic decides for that session */
} sw_verdict;

typedef struct sw_topic_rule {
    /* Of the names of topics: * stands for any bytes but '/', also none, ** for any, and a backslash takes the sense from the byte
     * behind it. 1 to 255 bytes. */
    sw_text pattern;
    const sw_peer_id *peer; /* NULL: each */
    uint32_t rights;        /* that it speaks of: sw_topic_right, one or both */
    uint32_t verdict;       /* sw_verdict */
} sw_topic_rule;

/* Who may join and publish, of this node's own topics: only those that it has joined have a name here. For each right the first rule
 * that fits decides, and where none fits it is denied. `rules` NULL: all is allowed, as at first; so an empty list is to be no NULL. What
 * they point to is copied. A peer that may not join is told so (SW_ERR_NOT_ALLOWED in its TOPIC_JOINED or TOPIC_REFUSED), of one that
 * may not publish nothing is heard, and where it may do neither this node does not join. Also for those who have joined already; who was
 * refused tries again in the next session. Since 0.1. */
SW_API sw_result sw_node_set_topic_rules(sw_node node, const sw_topic_rule *rules, size_t count);
/* Answers TOPIC_ASKS, of all topics of that name, whatever their secrets: of what is asked `rights` are given, the others denied, while that session lasts; also where the peer has left
 * meanwhile. Its join waits for it, and then it gets what was published meanwhile, as far as there was room. SW_ERR_STATE: nothing is asked,
 * the peer has gone, or this node has left the topic. Since 0.1. */
SW_API sw_result sw_node_decide_topic(sw_node node, sw_text topic, sw_peer peer, uint32_t rights);

/* ---- Broadcasts --------------------------------------------------------------------------------------------------- */

/* A peer that did not take it, and why: SW_ERR_AGAIN, its queue is full; SW_ERR_TOO_BIG, it takes no such message; SW_ERR_NO_MEMORY. */
typedef void (*sw_left_out_fn)(sw_peer peer, const sw_peer_id *id, sw_result why, void *user);

typedef struct sw_broadcast_options {
    uint32_t size;
    uint32_t type;  /* sw_body_type */
    sw_route route; /* in place of the text */
    uint32_t reserved;
    sw_message *message;   /* in place of the body: all get it by reference */
    const sw_draft *draft; /* in place of route and type, with its metadata */
    sw_member_fn filter; /* whom it is for, as in sw_publish_options, before any is sent to; publisher and hub are 0 */
    void *filter_user;
    sw_left_out_fn left_out; /* called on this thread, before it returns, for each that did not take it */
    void *left_out_user;
    uint64_t *sent;     /* how many peers took it; may be NULL */
    uint64_t *not_sent; /* ... and how many did not; may be NULL */
} sw_broadcast_options;

static inline void sw_broadcast_options_init(sw_broadcast_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* sw_peer_send to all peers that sw_node_find_peer would find, and to each session of theirs; a body of more than 16 KiB is copied once.
 * SW_OK: all took it, or there was none. SW_ERR_NOT_SENT: some did not, each of which was told to left_out; the others have it, so do not
 * call again for all. `message` is still yours then, to be sent to those: by sw_peer_send where it was SW_ERR_AGAIN, once
 * SW_EVENT_WRITABLE has come for them. Peers that close meanwhile count as neither. After any other failure nobody has got it, and *sent
 * and *not_sent are what they were. Since 0.1. */
SW_API sw_result sw_node_broadcast(sw_node node, sw_text route, sw_bytes body, const sw_broadcast_options *options);

/* ---- Files ------------------------------------------------------------------------------------------------------- */

typedef struct sw_file_options {
    uint32_t size;
    uint32_t type;           /* sw_body_type */
    sw_text name;            /* for the receiver; empty: the last component of the path */
    uint64_t progress_bytes; /* SW_EVENT_PART_PROGRESS each time that so many more were sent; 0: none */
} sw_file_options;

static inline void sw_file_options_init(sw_file_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* Opens a file that is to be sent as a part, and fills *out, with its name, its size and itself. The library reads it on threads of
 * its own, a few blocks ahead, and gives its BLAKE2b-256 with the end. Like a sw_message it is taken by the call that sends
 * its message, if that succeeds; else it stays yours. SW_EVENT_PART_DONE says how it went: SW_ERR_FILE_CHANGED when it was
 * written to meanwhile, and the receiver is told that it is incomplete. Regular files only: else SW_ERR_FILE_TYPE, and
 * nothing was opened. This call waits for the disk; others never do. Since 0.1. */
SW_API sw_result sw_file_open(sw_text path, const sw_file_options *options, sw_part_head *out);
/* One that was not taken; NULL is allowed. Since 0.1. */
SW_API void sw_file_close(sw_file *file);

#define SW_DIGEST_SIZE 32u
/* BLAKE2b-256 of bytes that come one after the other: for the digest of a part that sw_part_write sends, or to compare that of
 * one that was read. One thread at a time; it may go on after sw_hasher_digest. Since 0.1. */
SW_API sw_result sw_hasher_create(sw_hasher **out);
SW_API sw_result sw_hasher_add(sw_hasher *hasher, sw_bytes bytes);
SW_API sw_result sw_hasher_digest(const sw_hasher *hasher, uint8_t out[SW_DIGEST_SIZE]);
SW_API void sw_hasher_free(sw_hasher *hasher); /* NULL is allowed */

typedef struct sw_save_options {
    uint32_t size;
    uint32_t unchecked;      /* 1: also what comes without a BLAKE2b-256 to compare with, such as a stream */
    sw_text name;            /* in the folder; empty: that of the part */
    uint64_t most_bytes;     /* that are taken; default 1 GiB, SW_EVERYTHING for no limit */
    uint64_t progress_bytes; /* SW_EVENT_PART_PROGRESS each time that so many more were written; 0: none */
    uint32_t mode;           /* of the file, less the umask; default 0666 */
    uint32_t reserved;
} sw_save_options;

static inline void sw_save_options_init(sw_save_options *options) {
    if (options) options->size = (uint32_t)sw_zero(options, sizeof *options);
}
/* Saves a part of a message into a folder, in place of reading it. It is written under a temporary name (".sealwire-..."),
 * and gets its own, replacing nothing, only when length and BLAKE2b-256 are right and the disk has it. SW_EVENT_PART_DONE
 * says so, or what failed: SW_ERR_FILE_EXISTS, SW_ERR_NO_SPACE, SW_ERR_DIGEST and others, with the particulars; then the
 * temporary file goes as well. At once, and with nothing begun: SW_ERR_FILE_NAME for a name that is not one component of a
 * path on every system, SW_ERR_TOO_BIG for a stated size beyond most_bytes, SW_ERR_STATE when bytes of it were read
 * already. `part` is as it came with the message. sw_part_cancel ends it at any time. Since 0.1. */
SW_API sw_result sw_part_save(const sw_part_info *part, sw_text folder, const sw_save_options *options);

#define SW_CODE_HANDLER_FAILED 13u /* for a handler that failed without an answer of its own */
#define SW_CODE_NO_ROUTE 6u        /* for a message that nobody here handles after all. Since 0.1 */

/* A body in memory of its own, counted by references: create it and fill it, or wrap memory of yours. Since 0.1. */
SW_API sw_result sw_message_create(size_t size, sw_message **out);
SW_API sw_result sw_message_wrap(void *data, size_t size, sw_free_fn free, void *user, sw_message **out);
SW_API void *sw_message_data(sw_message *message);
SW_API size_t sw_message_size(const sw_message *message);
SW_API sw_message *sw_message_retain(sw_message *message);
SW_API void sw_message_release(sw_message *message);

#ifdef __cplusplus
}
#endif
#endif
