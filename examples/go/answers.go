package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

func say(w io.Writer, control string, fields map[string]any) {
	all := map[string]any{"control": control}
	for name, value := range fields {
		all[name] = value
	}
	fmt.Fprintf(w, "event: control\ndata: %s\n\n", text(all))
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprint(w, text(map[string]any{"status": status, "title": http.StatusText(status), "code": code}))
}

func send(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, text(value))
}

// What is sent here is made of plain data, which JSON can carry.
func text(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func randomKey() string {
	bytes := make([]byte, 16)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return hex.EncodeToString(bytes)
}
