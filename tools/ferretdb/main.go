// Command ferretdb is the stand-in for MongoDB that tests run against: FerretDB,
// which speaks MongoDB's protocol, on files of SQLite in a directory. There is
// no mongod for Debian. It is a module of its own, so that the product needs
// nothing of it.
//
// It ends with SIGTERM, and when its standard input closes: whoever started it
// and died leaves nothing running.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "address of the server")
	dir := flag.String("dir", "", "directory of the databases, which must be there")
	flag.Parse()
	debug.SetGCPercent(400) // it decodes whole collections for each query, and lives for minutes
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := serve(ctx, *listen, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "ferretdb:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, listen, dir string) error {
	f, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: listen},
		Handler:   "sqlite",
		SQLiteURL: (&url.URL{Scheme: "file", Path: dir + "/"}).String(),
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return f.Run(ctx)
}
