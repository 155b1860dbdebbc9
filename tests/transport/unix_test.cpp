// The socket's file: mode, removal, what a dead program left behind, who may connect.
#include "transport/unix.h"

#include <doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstring>

#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

struct stat info(const std::string& path) {
    struct stat result {};
    REQUIRE(lstat(path.c_str(), &result) == 0);
    return result;
}

bool exists(const std::string& path) {
    struct stat result {};
    return lstat(path.c_str(), &result) == 0;
}

// A socket file as a killed program leaves it: bound, and nobody behind it any more.
void leave_dead_socket(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd, 1) == 0);
    ::close(fd);
    REQUIRE(exists(path));
}

Errc listen_code(World& world, const std::string& path) {
    Acceptor acceptor;
    const Result<std::unique_ptr<Listener>> listener =
        listen(*world.loop, "unix", path, world.listen_options, acceptor);
    return listener ? Errc::ok : listener.error().code;
}

}  // namespace

TEST_CASE("the socket's file has the mode of the option whatever the umask is") {
    World world(Kind::unix_path);
    for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}}) {
        for (const uint32_t mode : {0600u, 0660u, 0666u}) {
            const mode_t before = umask(mask);
            const std::string path = world.directory.file("mode");
            world.listen_options.unix_mode = mode;
            world.listen(path);
            umask(before);
            CHECK((info(path).st_mode & 07777) == mode);
            world.acceptor.listener.reset();
            CHECK_FALSE(exists(path));
        }
    }
    CHECK(ListenOptions().unix_mode == 0600);
}

TEST_CASE("a socket file that a dead program left behind is replaced") {
    World world(Kind::unix_path);
    const std::string path = world.directory.file("socket");
    leave_dead_socket(path);
    Connector early;
    world.connect(early, path);
    REQUIRE(world.until([&] { return early.told > 0; }));
    CHECK(early.error.code == Errc::refused);
    world.listen(path);
    Duo duo = world.pair();
    duo.client->try_write("x");
    CHECK(world.until([&] { return duo.server->text() == "x"; }));
}

TEST_CASE("what is not a dead socket is never removed") {
    World world(Kind::unix_path);
    const std::string file = world.directory.file("file");
    const int fd = ::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(::write(fd, "precious", 8) == 8);
    ::close(fd);
    CHECK(listen_code(world, file) == Errc::in_use);
    CHECK(info(file).st_size == 8);

    // A link is not followed, even to a dead socket.
    const std::string dead = world.directory.file("dead");
    const std::string link = world.directory.file("link");
    leave_dead_socket(dead);
    REQUIRE(::symlink(dead.c_str(), link.c_str()) == 0);
    CHECK(listen_code(world, link) == Errc::in_use);
    CHECK(S_ISLNK(info(link).st_mode));
    CHECK(exists(dead));

    CHECK(listen_code(world, world.directory.path()) == Errc::in_use);
    CHECK(listen_code(world, world.directory.path() + "/none/socket") == Errc::not_found);
}

TEST_CASE("closing removes the socket's file at once, but not one that took its place") {
    World world(Kind::unix_path);
    const std::string path = world.directory.file("socket");
    world.listen(path);
    world.acceptor.close();
    CHECK_FALSE(exists(path));
    REQUIRE(world.until([&] { return world.acceptor.closed == 1; }));

    world.acceptor.closed = 0;
    world.listen(path);
    const std::string aside = world.directory.file("aside");
    REQUIRE(::rename(path.c_str(), aside.c_str()) == 0);
    leave_dead_socket(path);
    world.acceptor.listener.reset();
    CHECK(exists(path));
}

TEST_CASE("where there is no socket, and where there is something else, connecting says which") {
    World world(Kind::unix_path);
    const std::string file = world.directory.file("file");
    ::close(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    Connector missing;
    Connector wrong;
    world.connect(missing, world.directory.path() + "/nothing");
    world.connect(wrong, file);
    REQUIRE(world.until([&] { return missing.told > 0 && wrong.told > 0; }));
    CHECK(missing.error.code == Errc::refused);
    CHECK(wrong.error.code == Errc::refused);
}

TEST_CASE("another user cannot connect to a socket of mode 0600") {
    // Root may do anything, so the attempt is made in a child that is somebody else.
    World world(Kind::unix_path);
    const std::string path = world.directory.file("socket");
    world.listen(path);
    REQUIRE(::chmod(world.directory.path().c_str(), 0755) == 0);
    const bool root = geteuid() == 0;
    if (!root) REQUIRE(::chmod(path.c_str(), 0) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        if (root && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(100);
        Result<std::unique_ptr<Loop>> loop = Loop::create();
        if (!loop) _exit(101);
        Connector connector;
        Result<std::unique_ptr<Connecting>> connecting = connect(**loop, "unix", path, {}, connector);
        if (!connecting) _exit(102);
        (*loop)->run_until([&] { return connector.told > 0; }, kGenerous);
        _exit(static_cast<int>(connector.error.code));
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == static_cast<int>(Errc::permission));
}

TEST_CASE("connecting waits for room in a full backlog") {
    World world(Kind::unix_path);
    world.listen_options.backlog = 1;
    world.listen();
    // More than the backlog takes, before the listener gets a turn.
    Connector connectors[8];
    for (Connector& connector : connectors) world.connect(connector, world.place());
    REQUIRE(world.until([&] { return world.acceptor.accepted.size() == 8; }));
    for (const Connector& connector : connectors) CHECK(connector.end != nullptr);
}
