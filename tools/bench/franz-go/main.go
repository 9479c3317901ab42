// Consumes events with franz-go, decodes them with encoding/json and inserts them into ClickHouse as RowBinary; with
// BENCH_SHAPE=passthrough inserts their bytes as they are.
// Reads numbers of events from standard input, a line each, and answers "done" when they are stored.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const batchEvents = 10000

type event struct {
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	Tenant     string    `json:"tenant"`
	UserID     int64     `json:"user_id"`
	SessionID  string    `json:"session_id"`
	Path       string    `json:"path"`
	Agent      string    `json:"agent"`
	Referrer   *string   `json:"referrer"`
	Status     int32     `json:"status"`
	DurationMs float64   `json:"duration_ms"`
	Amount     string    `json:"amount"`
	Bot        bool      `json:"bot"`
	Tags       []string  `json:"tags"`
}

const insert = "INSERT INTO %s (id, time, tenant, user_id, session_id, path, agent, referrer, status, duration_ms, amount, bot, tags, event_id, source_topic, source_partition, source_offset) FORMAT RowBinary"

// The same of values that nobody looks at.
const insertAsItIs = "INSERT INTO %s (value, source_topic, source_partition, source_offset) FORMAT RowBinary"

var isPassedThrough = os.Getenv("BENCH_SHAPE") == "passthrough"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Getenv("BENCH_BROKERS"), ",")...), kgo.FetchMaxPartitionBytes(4<<20), kgo.FetchMaxWait(100*time.Millisecond), consumeFrom(0))
	if err != nil {
		return err
	}
	defer client.Close()
	length, err := strconv.ParseInt(os.Getenv("BENCH_LENGTH"), 10, 64)
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	var pending []*kgo.Record
	for in.Scan() {
		wanted, err := strconv.Atoi(in.Text())
		if err != nil {
			return err
		}
		if pending, err = consume(client, pending, wanted, length); err != nil {
			return err
		}
		fmt.Println("done")
	}
	return in.Err()
}

func consumeFrom(offset int64) kgo.Opt {
	return kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{os.Getenv("BENCH_TOPIC"): {0: kgo.NewOffset().At(offset)}})
}

// consume stores so many events and gives back what was fetched beyond them.
func consume(client *kgo.Client, pending []*kgo.Record, wanted int, length int64) ([]*kgo.Record, error) {
	var body bytes.Buffer
	rows := 0
	for wanted > 0 {
		if len(pending) == 0 {
			fetches := client.PollRecords(context.Background(), batchEvents)
			if errs := fetches.Errors(); len(errs) > 0 {
				return nil, errs[0].Err
			}
			pending = fetches.Records()
		}
		record := pending[0]
		pending = pending[1:]
		if err := encode(&body, record); err != nil {
			return nil, err
		}
		rows++
		wanted--
		if record.Offset == length-1 {
			client.SetOffsets(map[string]map[int32]kgo.EpochOffset{record.Topic: {record.Partition: {Epoch: -1, Offset: 0}}})
		}
		if rows == batchEvents || wanted == 0 {
			if err := store(&body); err != nil {
				return nil, err
			}
			rows = 0
			body.Reset()
		}
	}
	return pending, nil
}

func encode(body *bytes.Buffer, record *kgo.Record) error {
	if isPassedThrough {
		var raw [binary.MaxVarintLen64]byte
		body.Write(raw[:binary.PutUvarint(raw[:], uint64(len(record.Value)))])
		body.Write(record.Value)
		writeString(body, record.Topic)
		writeInt32(body, record.Partition)
		writeInt(body, record.Offset)
		return nil
	}
	var e event
	if err := json.Unmarshal(record.Value, &e); err != nil {
		return err
	}
	if err := writeUUID(body, e.ID); err != nil {
		return err
	}
	writeInt(body, e.Time.UnixMilli())
	writeString(body, e.Tenant)
	writeInt(body, e.UserID)
	if err := writeUUID(body, e.SessionID); err != nil {
		return err
	}
	writeString(body, e.Path)
	writeString(body, e.Agent)
	if e.Referrer == nil {
		body.WriteByte(1)
	} else {
		body.WriteByte(0)
		writeString(body, *e.Referrer)
	}
	writeInt32(body, e.Status)
	writeInt(body, int64(math.Float64bits(e.DurationMs)))
	amount, err := cents(e.Amount)
	if err != nil {
		return err
	}
	writeInt(body, amount)
	if e.Bot {
		body.WriteByte(1)
	} else {
		body.WriteByte(0)
	}
	tags, err := json.Marshal(e.Tags)
	if err != nil {
		return err
	}
	writeString(body, string(tags))
	writeString(body, e.ID)
	writeString(body, record.Topic)
	writeInt32(body, record.Partition)
	writeInt(body, record.Offset)
	return nil
}

func cents(amount string) (int64, error) {
	whole, fraction, _ := strings.Cut(amount, ".")
	if len(fraction) > 2 {
		return 0, errors.New("amount is finer than cents")
	}
	return strconv.ParseInt(whole+fraction+"00"[len(fraction):], 10, 64)
}

func writeUUID(body *bytes.Buffer, text string) error {
	if len(text) != 36 {
		return errors.New("not a UUID")
	}
	var digits [32]byte
	n := 0
	for i := 0; i < 36; i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if text[i] != '-' {
				return errors.New("not a UUID")
			}
			continue
		}
		digits[n] = text[i]
		n++
	}
	var raw [16]byte
	if _, err := hex.Decode(raw[:], digits[:]); err != nil {
		return err
	}
	var swapped [16]byte
	binary.LittleEndian.PutUint64(swapped[:8], binary.BigEndian.Uint64(raw[:8]))
	binary.LittleEndian.PutUint64(swapped[8:], binary.BigEndian.Uint64(raw[8:]))
	body.Write(swapped[:])
	return nil
}

func writeInt(body *bytes.Buffer, value int64) {
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], uint64(value))
	body.Write(raw[:])
}

func writeInt32(body *bytes.Buffer, value int32) {
	var raw [4]byte
	binary.LittleEndian.PutUint32(raw[:], uint32(value))
	body.Write(raw[:])
}

func writeString(body *bytes.Buffer, text string) {
	var raw [binary.MaxVarintLen64]byte
	body.Write(raw[:binary.PutUvarint(raw[:], uint64(len(text)))])
	body.WriteString(text)
}

func store(body *bytes.Buffer) error {
	statement := insert
	if isPassedThrough {
		statement = insertAsItIs
	}
	query := url.Values{"query": {fmt.Sprintf(statement, os.Getenv("BENCH_TABLE"))}, "async_insert": {"0"}}
	request, err := http.NewRequest("POST", os.Getenv("BENCH_CLICKHOUSE")+"/?"+query.Encode(), bytes.NewReader(body.Bytes()))
	if err != nil {
		return err
	}
	request.Header.Set("X-ClickHouse-User", os.Getenv("BENCH_USER"))
	request.Header.Set("X-ClickHouse-Key", os.Getenv("BENCH_PASSWORD"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("ClickHouse answered %d: %s", response.StatusCode, answer)
	}
	return err
}
