// Exchanges: sending, requesting, answering, cancelling.
#include <algorithm>
#include <array>

#include "edge.h"
#include "file.h"
#include "node/peer.h"
#include "node/random.h"
#include "node/raw_peer.h"
#include "node/routes.h"
#include "outgoing.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

sw_result set_receipt(uint32_t stages, OutMessage& out) {
    if (stages > (SW_RECEIPT_ACKNOWLEDGED | SW_RECEIPT_WRITTEN)) return bad("receipt is no sum of sw_receipt_stage");
    out.receipt = (stages & SW_RECEIPT_ACKNOWLEDGED) != 0;
    out.written = (stages & SW_RECEIPT_WRITTEN) != 0;
    return SW_OK;
}

// The parts of a message, and where their handles go.
class PartList {
public:
    template <class Options>
    sw_result set(const Options& options, OutMessage& out) {
        if (options.part_count == 0) return SW_OK;
        if (options.part_count > SW_PARTS_MAX) return bad("more than 64 parts");
        if (!options.parts || !options.part_handles) return bad("parts or part_handles is null");
        heads_.resize(options.part_count);
        numbers_.resize(options.part_count);
        for (size_t i = 0; i < options.part_count; ++i) {
            const sw_part_head& head = options.parts[i];
            if (!valid(head.name) || head.name.size > kMaxName) return bad("the name of a part is at most 255 bytes");
            if (head.kind > SW_PART_FILE) return bad("kind is no value of sw_part_kind");
            if (head.type > SW_BODY_CBOR) return bad("type is no value of sw_body_type");
            if (head.size_known && head.size > kVarintMax) return bad("the size of a part is below 2^62");
            PartHead& to = heads_[i];
            to.kind = static_cast<PartKind>(head.kind);
            to.type = static_cast<uint8_t>(head.type);
            to.name = view(head.name);
            if (head.size_known) to.size = head.size;
            if (head.file) {
                if (const sw_result r = set_file(i, *head.file, to); r != SW_OK) return r;
            }
        }
        out.parts = heads_;
        out.part_numbers = numbers_.data();
        handles_ = options.part_handles;
        return SW_OK;
    }
    // What is to send the files among them; an error when the peer is none.
    sw_result files(sw_peer peer, std::vector<Peer::FilePart>& out) const {
        if (files_.empty()) return SW_OK;
        Errc errc = Errc::ok;
        const std::shared_ptr<TransferHub> hub = Peer::transfer_hub(peer.value, errc);
        if (!hub) return failed(errc);
        for (const auto& [place, file] : files_) {
            out.push_back({place, std::make_shared<FileSend>(hub, file->source, file->progress)});
        }
        return SW_OK;
    }
    // The message was taken, and its files with it.
    void give(sw_peer peer, uint64_t exchange, size_t count) const {
        for (size_t i = 0; i < count; ++i) handles_[i] = {{peer, exchange}, numbers_[i]};
        for (const auto& [place, file] : files_) delete file;
    }

private:
    sw_result set_file(size_t place, sw_file& file, PartHead& head) {
        for (const auto& [other, known] : files_) {
            if (known == &file) return bad("a file is given twice");
        }
        if (head.size != file.source->size()) return bad("a head is not as sw_file_open made it");
        head.fed = true;
        files_.emplace_back(place, &file);
        return SW_OK;
    }

    std::vector<std::pair<size_t, sw_file*>> files_;
    std::vector<PartHead> heads_;
    std::vector<uint64_t> numbers_;
    sw_part* handles_ = nullptr;
};

// What a message carries beside its body.
class Extras {
public:
    template <class Options>
    sw_result set(const Options& options, OutMessage& out) {
        return set(options, options.idempotency_key, out);
    }
    template <class Options>
    sw_result set(const Options& options, sw_bytes key, OutMessage& out) {
        const sw_bytes trace = options.trace_context;
        const sw_draft* const draft = options.draft;
        if (options.metadata_count == 0 && key.size == 0 && trace.size == 0) {
            if (draft) out.tlvs = draft->block.get();
            return SW_OK;
        }
        if (key.size != 0 && (!valid(key) || key.size != kKeySize)) return bad("an idempotency key has 16 bytes");
        if (trace.size != 0 && (!valid(trace) || trace.size != kTraceSize)) return bad("a trace context has 25 bytes");
        const Bytes before = draft ? draft->metadata : Bytes();
        std::vector<TextPair> pairs;
        const sw_result r = read_metadata(options.metadata, options.metadata_count, before.size(), pairs);
        if (r != SW_OK) return r;
        block_ = write_message_tlvs(view(key), view(trace), pairs, before);
        out.tlvs = block_.get();
        return SW_OK;
    }

private:
    ChunkRef block_;
};

// How often a request is made.
sw_result set_retries(const sw_request_options& options, RetryPlan& plan) {
    if (options.attempts <= 1) return SW_OK;
    if (options.expects == SW_EXPECTS_MANY) return bad("a request of many replies is made once");
    if (options.part_count > 0) return bad("a request with parts is made once");
    if (options.converse) return bad("a conversation is begun once");
    plan.attempts = options.attempts;
    plan.first = options.backoff_ms == SW_NEVER ? 0 : duration_of(options.backoff_ms, plan.first);
    plan.most = duration_of(options.backoff_max_ms, std::max(plan.first, plan.most));
    if (plan.most == kNever || plan.first > plan.most)
        return bad("backoff_max_ms is at least backoff_ms, and a duration");
    return SW_OK;
}

// A request's own idempotency key, or a new one where it is made again.
class Key {
public:
    sw_bytes of(const sw_request_options& options) {
        if (options.idempotency_key.size != 0 || options.attempts <= 1) return options.idempotency_key;
        words_ = {random_number(), random_number()};
        return {words_.data(), sizeof words_};
    }

private:
    std::array<uint64_t, kKeySize / sizeof(uint64_t)> words_{};
};

sw_result send_with_parts(sw_peer peer, const sw_send_options& options, OutMessage& message, Body& content,
                          uint64_t* number) {
    PartList parts;
    if (const sw_result r = parts.set(options, message); r != SW_OK) return r;
    uint64_t own = 0;
    uint64_t* const at = number ? number : &own;
    std::vector<Peer::FilePart> files;
    if (const sw_result r = parts.files(peer, files); r != SW_OK) return r;
    const Errc errc = Peer::send(peer.value, message, options.receipt_number, options.user, at, files);
    if (errc == Errc::ok) parts.give(peer, *at, options.part_count);
    return content.finish(errc, message);
}

}  // namespace

sw_result sw_part_write(sw_part part, sw_bytes bytes, const sw_part_options* given) {
    return guarded([&] {
        sw_part_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        if (!valid(options.digest) || options.digest.size > kMaxDigest) return bad("a digest is at most 64 bytes");
        if (options.digest_algorithm > 127) return bad("a digest algorithm is at most 127");
        OutMessage message;
        Body content;
        if (const sw_result r = content.set(bytes, options.message, message); r != SW_OK) return r;
        if (message.body.empty() && !options.end) return content.finish(Errc::ok);
        const PartBytes piece{.bytes = message.body,
                              .owner = message.owner,
                              .end = options.end != 0,
                              .algorithm = static_cast<uint8_t>(options.digest_algorithm),
                              .digest = view(options.digest)};
        const sw_exchange& exchange = part.exchange;
        const auto write = RawPeer::is(exchange.peer.value) ? RawPeer::write_part : Peer::write_part;
        return content.finish(write(exchange.peer.value, exchange.number, part.number, piece));
    });
}

sw_result sw_part_read(sw_part part, uint64_t bytes) {
    return guarded([&] {
        const auto read = RawPeer::is(part.exchange.peer.value) ? RawPeer::read_part : Peer::read_part;
        return result_of(read(part.exchange.peer.value, part.exchange.number, part.number, bytes));
    });
}

sw_result sw_part_cancel(sw_part part, uint32_t code) {
    return guarded([&] {
        if (!valid_code(code)) return bad(kCodeRule);
        const auto cancel = RawPeer::is(part.exchange.peer.value) ? RawPeer::cancel_part : Peer::cancel_part;
        return result_of(cancel(part.exchange.peer.value, part.exchange.number, part.number, code));
    });
}

sw_result sw_peer_send(sw_peer peer, sw_text route, sw_bytes body, const sw_send_options* given) {
    return guarded([&] {
        sw_send_options room;
        const sw_send_options* options = options_of(given, room);
        if (!options) return bad(kSizeRule);
        OutMessage message;
        Body content;
        if (const sw_result r = set_head(route, *options, message); r != SW_OK) return r;
        if (const sw_result r = content.set(body, options->message, message); r != SW_OK) return r;
        if (options->more) return bad("more is for replies");
        if (const sw_result r = set_receipt(options->receipt, message); r != SW_OK) return r;
        if (options->exchange) options->exchange->peer = peer;
        uint64_t* const number = options->exchange ? &options->exchange->number : nullptr;
        Extras extras;
        if (const sw_result r = extras.set(*options, message); r != SW_OK) return r;
        if (options->part_count > 0) return send_with_parts(peer, *options, message, content, number);
        const Errc errc = Peer::send(peer.value, message, options->receipt_number, nullptr, number);
        return content.finish(errc, message);
    });
}

sw_result sw_peer_request(sw_peer peer, sw_text route, sw_bytes body, const sw_request_options* given,
                          sw_exchange* out) {
    return guarded([&] {
        sw_request_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        OutMessage message;
        Body content;
        if (const sw_result r = set_head(route, options, message); r != SW_OK) return r;
        if (const sw_result r = content.set(body, options.message, message); r != SW_OK) return r;
        if (options.expects > SW_EXPECTS_MANY) return bad("expects is no value of sw_expects");
        const Expects expects = options.expects == SW_EXPECTS_MANY ? Expects::many : Expects::one;
        PartList parts;
        if (const sw_result r = parts.set(options, message); r != SW_OK) return r;
        RetryPlan plan;
        if (const sw_result r = set_retries(options, plan); r != SW_OK) return r;
        Extras extras;
        Key key;
        if (const sw_result r = extras.set(options, key.of(options), message); r != SW_OK) return r;
        message.timeout_ms = options.timeout_ms;
        message.converse = options.converse != 0;
        if (options.between_ms != 0) message.between_ms = options.between_ms;
        if (options.total_ms != 0) message.total_ms = options.total_ms;
        if (out) out->peer = peer;
        uint64_t number = 0;
        uint64_t* const at = out ? &out->number : &number;
        if (plan.attempts > 1) {
            const Errc errc = Peer::request(peer.value, message, plan, options.user, at);
            return content.finish(errc, message);
        }
        std::vector<Peer::FilePart> files;
        if (const sw_result r = parts.files(peer, files); r != SW_OK) return r;
        const Errc errc = Peer::request(peer.value, message, expects, options.user, at, files);
        if (errc == Errc::ok) parts.give(peer, *at, options.part_count);
        return content.finish(errc, message);
    });
}

sw_result sw_exchange_reply(sw_exchange exchange, sw_bytes body, const sw_send_options* given) {
    return guarded([&] {
        sw_send_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        OutMessage message;
        Body content;
        if (options.route != 0 || options.draft) return bad("a reply has no route, and so no draft");
        if (options.idempotency_key.size != 0) return bad("a reply has no idempotency key");
        if (const sw_result r = set_type(options.type, message); r != SW_OK) return r;
        if (const sw_result r = content.set(body, options.message, message); r != SW_OK) return r;
        if (const sw_result r = set_receipt(options.receipt, message); r != SW_OK) return r;
        message.more = options.more != 0;
        PartList parts;
        if (const sw_result r = parts.set(options, message); r != SW_OK) return r;
        Extras extras;
        if (const sw_result r = extras.set(options, message); r != SW_OK) return r;
        std::vector<Peer::FilePart> files;
        if (const sw_result r = parts.files(exchange.peer, files); r != SW_OK) return r;
        const Errc errc = Peer::reply(exchange.peer.value, exchange.number, message, options.receipt_number, files);
        if (errc == Errc::ok) parts.give(exchange.peer, exchange.number, options.part_count);
        return content.finish(errc);
    });
}

namespace {

// What a question or an answer consists of, and the call that sends it.
template <class Send>
sw_result talk(sw_exchange exchange, sw_bytes body, const sw_send_options* given, Send&& send) {
    sw_send_options options;
    if (!read_options(given, options)) return bad(kSizeRule);
    OutMessage message;
    Body content;
    if (options.route != 0 || options.draft) return bad("a question or an answer has no route, and so no draft");
    if (options.idempotency_key.size != 0) return bad("a question or an answer has no idempotency key");
    if (options.more) return bad("more is for replies");
    if (const sw_result r = set_type(options.type, message); r != SW_OK) return r;
    if (const sw_result r = content.set(body, options.message, message); r != SW_OK) return r;
    if (const sw_result r = set_receipt(options.receipt, message); r != SW_OK) return r;
    PartList parts;
    if (const sw_result r = parts.set(options, message); r != SW_OK) return r;
    Extras extras;
    if (const sw_result r = extras.set(options, message); r != SW_OK) return r;
    const Errc errc = send(message, options.receipt_number);
    if (errc == Errc::ok) parts.give(exchange.peer, exchange.number, options.part_count);
    return content.finish(errc);
}

}  // namespace

sw_result sw_exchange_ask(sw_exchange exchange, sw_bytes body, const sw_send_options* options, sw_question* out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        return talk(exchange, body, options, [&](OutMessage& message, uint64_t* receipt) {
            out->exchange = exchange;
            return Peer::ask(exchange.peer.value, exchange.number, message, receipt, out->number);
        });
    });
}

sw_result sw_question_answer(sw_question question, sw_bytes body, const sw_send_options* options, sw_question* back) {
    return guarded([&] {
        return talk(question.exchange, body, options, [&](OutMessage& message, uint64_t* receipt) {
            if (back) back->exchange = question.exchange;
            return Peer::answer(question.exchange.peer.value, question.exchange.number, question.number, message,
                                receipt, back ? &back->number : nullptr);
        });
    });
}

sw_result sw_question_status(sw_question question, uint32_t code, sw_text text) {
    return guarded([&] {
        if (!valid(text) || text.size > kMaxStatusText) return bad("text is no text of at most 1024 bytes");
        if (!valid_code(code) && code != SW_CODE_HANDLER_FAILED) return bad(kCodeRule);
        return result_of(Peer::answer_status(question.exchange.peer.value, question.exchange.number, question.number,
                                             code, view(text)));
    });
}

namespace {

bool valid_status(uint32_t code) {
    return valid_code(code) || code == SW_CODE_HANDLER_FAILED || code == SW_CODE_NO_ROUTE;
}

}  // namespace

sw_result sw_exchange_status(sw_exchange exchange, uint32_t code, sw_text text) {
    return guarded([&] {
        if (!valid(text) || text.size > kMaxStatusText) return bad("text is no text of at most 1024 bytes");
        if (!valid_status(code)) return bad(kCodeRule);
        return result_of(Peer::status(exchange.peer.value, exchange.number, code, view(text), {}, 0));
    });
}

sw_result sw_exchange_status_with(sw_exchange exchange, uint32_t code, sw_text text, const sw_status_options* given) {
    return guarded([&] {
        sw_status_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        if (!valid(text) || text.size > kMaxStatusText) return bad("text is no text of at most 1024 bytes");
        if (!valid_status(code)) return bad(kCodeRule);
        if (options.details_type > SW_BODY_CBOR) return bad("details_type is no value of sw_body_type");
        if (!valid(options.details)) return bad("details is null or too large");
        if (code == 0 && options.details.size > 0) return bad("details go with errors, not with code 0");
        if (options.details.size > kMaxStatus - text.size) {
            return failed(Errc::too_big, "text and details have more than 4096 bytes together");
        }
        return result_of(Peer::status(exchange.peer.value, exchange.number, code, view(text), view(options.details),
                                      static_cast<uint8_t>(options.details_type)));
    });
}

sw_result sw_exchange_cancel(sw_exchange exchange, uint32_t code) {
    return guarded([&] {
        if (!valid_code(code)) return bad(kCodeRule);
        const auto cancel = RawPeer::is(exchange.peer.value) ? RawPeer::cancel : Peer::cancel;
        return result_of(cancel(exchange.peer.value, exchange.number, code));
    });
}

sw_result sw_exchange_set_user(sw_exchange exchange, void* user) {
    return guarded([&] {
        const auto set = RawPeer::is(exchange.peer.value) ? RawPeer::set_exchange_user : Peer::set_exchange_user;
        return result_of(set(exchange.peer.value, exchange.number, user));
    });
}

sw_result sw_exchange_set_deadlines(sw_exchange exchange, const sw_deadlines* given) {
    return guarded([&] {
        sw_deadlines deadlines;
        if (!given || !read_options(given, deadlines)) return bad(kSizeRule);
        if (deadlines.clock > SW_CLOCK_RESUME) return bad("clock is no value of sw_clock");
        return result_of(
            Peer::set_deadlines(exchange.peer.value, {.number = exchange.number,
                                                      .next_ms = deadlines.next_ms,
                                                      .between_ms = deadlines.between_ms,
                                                      .total_ms = deadlines.total_ms,
                                                      .clock = static_cast<DeadlineChange::Clock>(deadlines.clock)}));
    });
}

sw_result sw_exchange_uuid(sw_exchange exchange, uint32_t own, uint64_t place, uint8_t out[16]) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (own > 1) return bad("own is 0 or 1");
        Uuid uuid{};
        const Errc errc = Peer::message_uuid(exchange.peer.value, exchange.number, own != 0, place, uuid);
        if (errc == Errc::ok) std::copy(uuid.begin(), uuid.end(), out);
        return result_of(errc);
    });
}

sw_result sw_exchange_running(sw_exchange exchange) {
    return guarded([&] {
        const bool raw = RawPeer::is(exchange.peer.value);
        return result_of(raw ? RawPeer::running(exchange.peer.value, exchange.number)
                             : Peer::running(exchange.peer.value, exchange.number));
    });
}

sw_result sw_peer_running(sw_peer peer, sw_running* out) {
    return guarded([&] {
        if (!out || out->size < sizeof *out) return bad("out is null, or its size is not set");
        Outbox::Running all;
        uint64_t queued_bytes = 0;
        const Errc errc = Peer::running(peer.value, all, queued_bytes);
        if (errc != Errc::ok) return result_of(errc);
        out->requests = all.requests;
        out->serving = all.serving;
        out->questions = all.questions;
        out->queued_bytes = queued_bytes;
        return SW_OK;
    });
}
