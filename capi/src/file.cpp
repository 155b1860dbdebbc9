// Files: opened to be sent, and saved.
#include "file.h"

#include "edge.h"
#include "node/file_save.h"
#include "node/peer.h"
#include "node/random.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

constexpr uint64_t kMost = 1024u * 1024 * 1024;

// A path for the system: not empty, and no zero byte.
bool is_path(sw_text path) { return valid(path) && path.size > 0 && view(path).find('\0') == std::string_view::npos; }

// Of a path: what stands behind its last slash.
std::string_view last_component(std::string_view path) {
    while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    const size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

sw_result sw_file_open(sw_text path, const sw_file_options* given, sw_part_head* out) {
    return guarded([&] {
        sw_file_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        if (!out) return bad("out is null");
        if (!is_path(path)) return bad("path is empty or has a zero byte");
        if (!valid(options.name) || options.name.size > kMaxName) return bad("the name of a part is at most 255 bytes");
        if (options.type > SW_BODY_CBOR) return bad("type is no value of sw_body_type");
        auto file = std::make_unique<sw_file>();
        file->name = options.name.size > 0 ? view(options.name) : last_component(view(path));
        file->progress = options.progress_bytes;
        Result<SourceFile> source = SourceFile::open(std::string(view(path)));
        if (!source) return failed(source.error());
        file->source = std::make_shared<SourceFile>(std::move(*source));
        std::memset(out, 0, sizeof *out);
        out->name = text_of(file->name);
        out->size = file->source->size();
        out->size_known = 1;
        out->kind = SW_PART_FILE;
        out->type = options.type;
        out->file = file.release();
        return SW_OK;
    });
}

void sw_file_close(sw_file* file) {
    guarded_void([&] { delete file; });
}

sw_result sw_part_save(const sw_part_info* info, sw_text folder, const sw_save_options* given) {
    return guarded([&] {
        sw_save_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        if (!info) return bad("part is null");
        if (!is_path(folder)) return bad("folder is empty or has a zero byte");
        if (!valid(options.name) || !valid(info->head.name)) return bad("name is not a text");
        if (options.mode > 0777) return bad("mode is above 0777");
        SaveOptions save;
        save.name = view(options.name.size > 0 ? options.name : info->head.name);
        if (auto right = check_file_name(save.name); !right) return failed(right.error());
        save.folder = view(folder);
        save.most = options.most_bytes > 0 ? options.most_bytes : kMost;
        save.size = info->head.size_known ? info->head.size : kUnknownSize;
        if (save.size != kUnknownSize && save.size > save.most)
            return failed(Errc::too_big, "its stated size is more than is taken");
        if (options.mode > 0) save.mode = options.mode;
        save.unchecked = options.unchecked != 0;
        save.progress = options.progress_bytes;
        save.token = random_number();
        const sw_part& part = info->part;
        Errc errc = Errc::ok;
        const std::shared_ptr<TransferHub> hub = Peer::transfer_hub(part.exchange.peer.value, errc);
        if (!hub) return failed(errc);
        return result_of(Peer::save_part(part.exchange.peer.value, part.exchange.number, part.number,
                                         std::make_shared<FileSave>(hub, std::move(save))));
    });
}
