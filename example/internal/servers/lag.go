package servers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// StartReadReplica starts a replica that follows a Redis with a lag. It returns the
// address of a relay that sends GET to the replica and all other commands to the
// primary, like some proxies and clusters of Redis. lag is called for each piece of
// data that the primary sends.
func StartReadReplica(tb testing.TB, primary *Redis, lag func() time.Duration) (address string, replica *Redis) {
	tb.Helper()
	slow := relay(tb, func(client net.Conn) {
		pipe(client, primary.Client.Options().Addr, lag)
	})
	replica = StartRedis(tb)
	_, port, err := net.SplitHostPort(slow)
	if err != nil {
		tb.Fatal(err)
	}
	if err := replica.Client.ReplicaOf(tb.Context(), "127.0.0.1", port).Err(); err != nil {
		tb.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		info, err := replica.Client.InfoMap(tb.Context(), "replication").Result()
		if err == nil && info["Replication"]["master_link_status"] == "up" {
			break
		}
		if time.Now().After(deadline) {
			tb.Fatalf("the replica does not follow: %v %v", info, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return relay(tb, func(client net.Conn) {
		split(client, primary.Client.Options().Addr, replica.Client.Options().Addr)
	}), replica
}

// relay calls serve for each connection to a new address, until the end of the test.
func relay(tb testing.TB, serve func(net.Conn)) (address string) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			wait.Go(func() {
				defer func() {
					conn.Close()
					mu.Lock()
					delete(open, conn)
					mu.Unlock()
				}()
				serve(conn)
			})
		}
	})
	tb.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		wait.Wait()
	})
	return listener.Addr().String()
}

// pipe connects a client to a server whose data arrives late.
func pipe(client net.Conn, address string, lag func() time.Duration) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client) // the end of either is the end of both
		server.Close()
	}()
	piece := make([]byte, 64<<10)
	for {
		n, err := server.Read(piece)
		if err != nil {
			return
		}
		time.Sleep(lag())
		if _, err := client.Write(piece[:n]); err != nil {
			return
		}
	}
}

// split answers a client's commands, one after the other.
func split(client net.Conn, primary, replica string) {
	write, err := net.Dial("tcp", primary)
	if err != nil {
		return
	}
	defer write.Close()
	read, err := net.Dial("tcp", replica)
	if err != nil {
		return
	}
	defer read.Close()
	commands, written, got := bufio.NewReader(client), bufio.NewReader(write), bufio.NewReader(read)
	for {
		var command bytes.Buffer
		if err := copyValue(&command, commands); err != nil {
			return
		}
		name := bytes.ToUpper(command.Bytes())
		server, answers := write, written
		switch {
		case bytes.Contains(name, []byte("\r\nGET\r\n")):
			server, answers = read, got
		case bytes.Contains(name, []byte("\r\nHELLO\r\n")): // both speak one protocol
			var answer bytes.Buffer
			if _, err := read.Write(command.Bytes()); err != nil || copyValue(&answer, got) != nil {
				return
			}
		}
		if _, err := server.Write(command.Bytes()); err != nil {
			return
		}
		var answer bytes.Buffer
		if err := copyValue(&answer, answers); err != nil {
			return
		}
		if _, err := client.Write(answer.Bytes()); err != nil {
			return
		}
	}
}

// copyValue copies one value of Redis's protocol (RESP3).
func copyValue(to *bytes.Buffer, from *bufio.Reader) error {
	line, err := from.ReadBytes('\n')
	if err != nil {
		return err
	}
	to.Write(line)
	count := 0
	switch line[0] {
	case '$', '=', '!', '*', '~', '>', '%', '|':
		if count, err = strconv.Atoi(string(bytes.TrimSpace(line[1:]))); err != nil {
			return fmt.Errorf("odd value %q: %w", line, err)
		}
	}
	switch line[0] {
	case '$', '=', '!':
		if count < 0 {
			return nil
		}
		_, err := io.CopyN(to, from, int64(count)+2)
		return err
	case '%', '|':
		count *= 2
	}
	for range count {
		if err := copyValue(to, from); err != nil {
			return err
		}
	}
	if line[0] == '|' { // attributes come before the value
		return copyValue(to, from)
	}
	return nil
}
