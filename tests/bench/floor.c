/* The floor: what a fan-out costs at least. One thread, epoll, one write() of a prepared message per client and tick.
 *
 * It says its port on stdout. A request tells what it wants: `GET /sse?bytes=196` a chunked event stream,
 * `GET /ws?bytes=149&binary=1` a WebSocket; `bytes` is what each tick takes on the wire, framing included, and 0 is a
 * connection that stays silent. A tick comes every 10 ms. Messages are those of payload.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_NS 10000000
/* Shapes of messages that are asked for in one run, the longest request, and the longest message. */
#define MAX_GROUPS 64
#define MAX_REQUEST 2048
#define MAX_MESSAGE (1 << 20)

struct group;

struct client {
    int fd;
    size_t received;
    /* Freed once the request is whole, as an idle connection needs none. */
    char *request;
    struct group *group;
    size_t place;
};

/* All who get the same bytes. */
struct group {
    int is_websocket, is_binary;
    size_t bytes;
    char *message, *ts, *seq;
    struct client **clients;
    size_t count, room;
};

static struct group groups[MAX_GROUPS];
static size_t group_count;
static uint64_t seq;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* SHA-1 of less than 120 bytes (RFC 3174). */
static uint32_t rotate(uint32_t word, int by) { return word << by | word >> (32 - by); }

static void sha1_block(uint32_t state[5], const unsigned char *block) {
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
        uint32_t next = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

static void sha1(const char *text, unsigned char digest[20]) {
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    unsigned char padded[128] = {0};
    size_t length = strlen(text), total = length < 56 ? 64 : 128;
    memcpy(padded, text, length);
    padded[length] = 0x80;
    padded[total - 2] = length * 8 >> 8, padded[total - 1] = length * 8 & 255;
    for (size_t at = 0; at < total; at += 64) sha1_block(state, padded + at);
    for (int i = 0; i < 20; i++) digest[i] = state[i / 4] >> (24 - 8 * (i % 4));
}

/* Sec-WebSocket-Accept (RFC 6455 4.2.2): base64 of the SHA-1 of the key and a constant. */
static void accept_key(const char *key, char accept[29]) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char digest[21] = {0};
    char text[64];
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(text, digest);
    for (int i = 0, out = 0; i < 21; i += 3) {
        uint32_t three = digest[i] << 16 | digest[i + 1] << 8 | digest[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) accept[out++] = alphabet[three >> shift & 63];
    }
    accept[27] = '=', accept[28] = 0;
}

static size_t frame_head(struct group *group, char *head) {
    if (!group->is_websocket) {
        for (size_t digits = 1;; digits++) {
            size_t payload = group->bytes - 4 - digits;
            if ((size_t)snprintf(head, 32, "%zx\r\n", payload) == digits + 2) return digits + 2;
        }
    }
    size_t length = group->bytes - 2 < 126 ? group->bytes - 2 : group->bytes - 4;
    head[0] = (char)(group->is_binary ? 0x82 : 0x81);
    if (length < 126) return head[1] = (char)length, 2;
    if (length < 65536) return head[1] = 126, head[2] = (char)(length >> 8), head[3] = (char)length, 4;
    length = group->bytes - 10;
    head[1] = 127;
    for (int i = 0; i < 8; i++) head[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
    return 10;
}

static void prepare(struct group *group) {
    char head[32];
    size_t start = frame_head(group, head);
    const char *before = group->is_websocket ? "" : "data: ", *after = group->is_websocket ? "\"}" : "\"}\n\n\r\n";
    group->message = malloc(group->bytes + 256);
    if (!group->message) fail("malloc");
    memset(group->message, 'x', group->bytes);
    memcpy(group->message, head, start);
    size_t end = start + sprintf(group->message + start,
        "%s{\"symbol\":\"EUR/USD\",\"ts\":0000000000000000,\"cursor\":\"0-000000000\",\"fill\":\"", before);
    if (end + strlen(after) > group->bytes) fprintf(stderr, "%zu bytes are too few\n", group->bytes), exit(1);
    group->message[end] = 'x';
    memcpy(group->message + group->bytes - strlen(after), after, strlen(after));
    group->ts = memmem(group->message, group->bytes, "\"ts\":", 5) + 5;
    group->seq = memmem(group->message, group->bytes, "\"0-", 3) + 3;
}

static void patch(char *digits, int count, uint64_t value) {
    for (int i = count - 1; i >= 0; i--, value /= 10) digits[i] = (char)('0' + value % 10);
}

static struct group *find_group(int is_websocket, int is_binary, size_t bytes) {
    for (size_t i = 0; i < group_count; i++) {
        struct group *group = &groups[i];
        if (group->is_websocket == is_websocket && group->is_binary == is_binary && group->bytes == bytes)
            return group;
    }
    if (group_count == MAX_GROUPS || bytes > MAX_MESSAGE) fprintf(stderr, "too much was asked for\n"), exit(1);
    struct group *group = &groups[group_count++];
    *group = (struct group){.is_websocket = is_websocket, .is_binary = is_binary, .bytes = bytes};
    if (bytes) prepare(group);
    return group;
}

static void join(struct client *client, struct group *group) {
    if (group->count == group->room) {
        group->room = group->room ? 2 * group->room : 64;
        group->clients = realloc(group->clients, group->room * sizeof *group->clients);
        if (!group->clients) fail("realloc");
    }
    client->group = group;
    client->place = group->count;
    group->clients[group->count++] = client;
}

static void drop(struct client *client) {
    if (client->group) {
        struct client *last = client->group->clients[--client->group->count];
        client->group->clients[client->place] = last;
        last->place = client->place;
    }
    close(client->fd);
    free(client->request);
    free(client);
}

static int answer(struct client *client) {
    char *request = client->request, reply[512], accept[29];
    char *bytes = strstr(request, "bytes="), *key = strcasestr(request, "sec-websocket-key:");
    size_t length = bytes ? strtoul(bytes + 6, NULL, 10) : 200;
    if (key) {
        for (key += 18; *key == ' '; key++);
        accept_key(key, accept);
        snprintf(reply, sizeof reply, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    } else {
        snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
    }
    join(client, find_group(key != NULL, strstr(request, "binary=1") != NULL, length));
    free(request);
    client->request = NULL;
    return write(client->fd, reply, strlen(reply)) == (ssize_t)strlen(reply);
}

static void take(struct client *client) {
    static char ignored[65536];
    if (!client->request) {
        if (read(client->fd, ignored, sizeof ignored) <= 0 && errno != EAGAIN) drop(client);
        return;
    }
    ssize_t count = read(client->fd, client->request + client->received, MAX_REQUEST - 1 - client->received);
    if (count <= 0) {
        drop(client);
        return;
    }
    client->received += count;
    client->request[client->received] = 0;
    if (strstr(client->request, "\r\n\r\n") && !answer(client)) drop(client);
}

static void greet(int epoll, int listening) {
    int fd, yes = 1;
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct client *client = calloc(1, sizeof *client);
        if (!client || !(client->request = malloc(MAX_REQUEST))) fail("malloc");
        client->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
}

static void tick(int timer) {
    uint64_t expirations;
    struct timespec now;
    if (read(timer, &expirations, sizeof expirations) < 0) return;
    clock_gettime(CLOCK_REALTIME, &now);
    seq++;
    for (size_t i = 0; i < group_count; i++) {
        struct group *group = &groups[i];
        if (!group->bytes) continue;
        patch(group->ts, 16, now.tv_sec * 1000000ULL + now.tv_nsec / 1000);
        patch(group->seq, 9, seq);
        for (size_t j = group->count; j-- > 0;)
            /* A client that does not read is not what is measured: it goes. */
            if (write(group->clients[j]->fd, group->message, group->bytes) != (ssize_t)group->bytes)
                drop(group->clients[j]);
    }
}

static int listen_anywhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listening < 0 || bind(listening, (struct sockaddr *)&address, size) || listen(listening, 4096)) fail("listen");
    getsockname(listening, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listening;
}

int main(void) {
    static int is_timer, is_listening;
    int listening = listen_anywhere(), epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec every = {{0, INTERVAL_NS}, {0, INTERVAL_NS}};
    struct epoll_event events[512], event = {.events = EPOLLIN, .data.ptr = &is_listening};
    if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL)) fail("timer");
    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
    event.data.ptr = &is_timer;
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    for (;;) {
        int is_due = 0, count = epoll_wait(epoll, events, 512, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &is_timer) is_due = 1;
            else if (events[i].data.ptr == &is_listening) greet(epoll, listening);
            else take(events[i].data.ptr);
        }
        /* Last, since it may drop clients that an event is about. */
        if (is_due) tick(timer);
    }
}
