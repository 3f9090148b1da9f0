// A Loopline client in Go, made from nothing but the proto bundle: ingests a document, asks a question, reads an event.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	generationv1 "loopline/generation/v1"
	ingestionv1 "loopline/ingestion/v1"
)

func dial(target string) *grpc.ClientConn {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	return connection
}

func ingest(ctx context.Context, client ingestionv1.IngestionServiceClient, collection, source, text string) string {
	stream, err := client.SubmitDocument(ctx)
	if err != nil {
		log.Fatal(err)
	}
	header := &ingestionv1.DocumentHeader{Collection: collection, Source: source, SizeBytes: uint64(len(text))}
	_ = stream.Send(&ingestionv1.SubmitDocumentRequest{Part: &ingestionv1.SubmitDocumentRequest_Header{Header: header}})
	_ = stream.Send(&ingestionv1.SubmitDocumentRequest{Part: &ingestionv1.SubmitDocumentRequest_Data{Data: []byte(text)}})
	submitted, err := stream.CloseAndRecv()
	if err != nil {
		log.Fatal(err)
	}
	watch, err := client.WatchDocuments(ctx, &ingestionv1.WatchDocumentsRequest{DocumentIds: []string{submitted.DocumentId}})
	if err != nil {
		log.Fatal(err)
	}
	for {
		change, err := watch.Recv()
		if errors.Is(err, io.EOF) {
			return submitted.DocumentId
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("state", change.Document.State)
	}
}

func ask(ctx context.Context, client generationv1.GenerationServiceClient, collection, question string) {
	stream, err := client.Answer(ctx, &generationv1.AnswerRequest{Question: question, Collections: []string{collection}})
	if err != nil {
		log.Fatal(err)
	}
	for {
		step, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		if finished := step.GetFinished(); finished != nil {
			fmt.Println("answer", finished.Outcome, finished.Text)
		}
	}
}

func readEvent(url, subscriber string) {
	connection, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	stream, err := connection.JetStream()
	if err != nil {
		log.Fatal(err)
	}
	subscription, err := stream.PullSubscribe("", "", nats.Bind("INGESTION", "subscriber-"+subscriber))
	if err != nil {
		log.Fatal(err)
	}
	messages, err := subscription.Fetch(1, nats.MaxWait(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	accepted := &ingestionv1.DocumentAccepted{}
	if err := proto.Unmarshal(messages[0].Data, accepted); err != nil {
		log.Fatal(err)
	}
	if err := messages[0].AckSync(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("event", messages[0].Header.Get("ce-type"), accepted.Source)
}

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: go-client INGESTION GENERATION NATS_URL KEY SUBSCRIBER")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Args[4])
	text := "The lighthouse at Skerry Point was built in 1871 by the engineer Ada Moreland. It is 43 metres tall."
	id := ingest(ctx, ingestionv1.NewIngestionServiceClient(dial(os.Args[1])), "go", "lighthouse.txt", text)
	fmt.Println("document", id)
	ask(ctx, generationv1.NewGenerationServiceClient(dial(os.Args[2])), "go", "Who built the lighthouse at Skerry Point?")
	readEvent(os.Args[3], os.Args[5])
}
