// The socket's file: its mode, its removal, and what to do about one that a dead program left behind.
#include "transport/unix.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "transport/connecting.h"
#include "transport/socket.h"
#include "transport/stream_listener.h"

namespace sealwire {

namespace {

bool same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// Removes the file if it is a socket at which nobody answers. 0, or the errno to report.
int remove_stale_socket(const SocketAddress& address) {
    const char* path = address.local.sun_path;
    struct stat before {};
    if (lstat(path, &before) != 0) return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(before.st_mode)) return EADDRINUSE;
    const int probe = new_socket(AF_UNIX);
    if (probe < 0) return errno;
    const int status = ::connect(probe, &address.any, address.length);
    const int number = status == 0 ? 0 : errno;
    ::close(probe);
    if (number == ENOENT) return 0;
    if (number != ECONNREFUSED) return EADDRINUSE;  // alive, or not ours to judge
    // Another program may have done the same meanwhile, and listen there by now.
    struct stat now {};
    if (lstat(path, &now) != 0) return errno == ENOENT ? 0 : errno;
    if (!same_file(before, now)) return EADDRINUSE;
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

int bind_path(int socket, const SocketAddress& address, uint32_t mode) {
#ifdef __linux__
    // Linux takes the file's mode from the socket, so there is no moment at which the file is open to more.
    fchmod(socket, static_cast<mode_t>(mode));
    if (::bind(socket, &address.any, address.length) != 0) return errno;
#else
    const mode_t before = umask(0777 & ~static_cast<mode_t>(mode));
    const int status = ::bind(socket, &address.any, address.length);
    const int number = errno;
    umask(before);
    if (status != 0) return number;
#endif
    return 0;
}

}  // namespace

Result<std::unique_ptr<Listener>> listen_unix(Loop& loop, std::string_view text, const ListenOptions& options,
                                              ListenerHandler& handler) {
    const Result<SocketAddress> address = unix_address(text);
    if (!address) return Unexpected{address.error()};
    const std::string url = address->url();
    const int socket = new_socket(AF_UNIX);
    if (socket < 0) return Unexpected{listen_error(errno, url)};
    const bool named = address->local.sun_path[0] != '\0';
    int number = 0;
    if (named) {
        number = bind_path(socket, *address, options.unix_mode);
        if (number == EADDRINUSE) {
            number = remove_stale_socket(*address);
            if (number == 0) number = bind_path(socket, *address, options.unix_mode);
        }
    } else if (::bind(socket, &address->any, address->length) != 0) {
        number = errno;
    }
    if (number != 0) {
        ::close(socket);
        return Unexpected{listen_error(number, url)};
    }
    StreamListenerSetup setup;
    setup.socket = socket;
    setup.address = url;
    setup.unix_remote = "unix:";
    if (named) {
        const std::string path(text);
        struct stat ours {};
        lstat(path.c_str(), &ours);
        // The umask may have taken rights that the option grants.
        if (S_ISSOCK(ours.st_mode) && (ours.st_mode & 07777) != options.unix_mode) {
            fchmodat(AT_FDCWD, path.c_str(), static_cast<mode_t>(options.unix_mode), AT_SYMLINK_NOFOLLOW);
        }
        setup.before_close = [path, ours] {
            struct stat now {};
            if (lstat(path.c_str(), &now) == 0 && same_file(ours, now)) unlink(path.c_str());
        };
    }
    if (::listen(socket, options.backlog) != 0) {
        number = errno;
        if (setup.before_close) setup.before_close();
        ::close(socket);
        return Unexpected{listen_error(number, url)};
    }
    return make_stream_listener(loop, std::move(setup), handler);
}

Result<std::unique_ptr<Connecting>> connect_unix(Loop& loop, std::string_view text, const ConnectOptions& options,
                                                 ConnectHandler& handler) {
    const Result<SocketAddress> address = unix_address(text);
    if (!address) return Unexpected{address.error()};
    auto connecting = std::make_unique<StreamConnecting>(loop, options, handler);
    connecting->begin(*address);
    return std::unique_ptr<Connecting>(std::move(connecting));
}

}  // namespace sealwire
