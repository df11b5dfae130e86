package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// idle is how long a listener waits for a peer to say something.
const idle = 10 * time.Second

// maxLine bounds in bytes what a peer may say.
const maxLine = 64 << 10

// Listen answers for a host on sockets that are open as descriptors 4 and up,
// one per protocol, "tcp" or "udp", until the process is ended. It is what
// `aclium lab listen` does.
func Listen(name string, protocols []string) error {
	failed := make(chan error)
	for i, protocol := range protocols {
		f := os.NewFile(uintptr(gateFD+1+i), protocol)
		serve := serveUDP
		if protocol == "tcp" {
			serve = serveTCP
		}
		go func() { failed <- serve(name, f) }()
	}
	return fmt.Errorf("%s does not listen any more: %w", name, <-failed)
}

func serveTCP(name string, f *os.File) error {
	l, err := net.FileListener(f)
	if err != nil {
		return err
	}
	f.Close()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go answerLine(name, conn)
	}
}

// answerLine reads a line and says who got it from whom.
func answerLine(name string, conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(idle))
	line, err := bufio.NewReader(io.LimitReader(conn, maxLine)).ReadString('\n')
	if err != nil {
		return
	}
	fmt.Fprintf(conn, "%s %s answers %s: %s\n", name, conn.LocalAddr(), conn.RemoteAddr(), strings.TrimSpace(line))
}

func serveUDP(_ string, f *os.File) error {
	conn, err := net.FilePacketConn(f)
	if err != nil {
		return err
	}
	f.Close()
	buffer := make([]byte, maxLine)
	for {
		n, peer, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		// An answer that cannot be sent is as good as one that is lost.
		_, _ = conn.WriteTo(buffer[:n], peer)
	}
}
