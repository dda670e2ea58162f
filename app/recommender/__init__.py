"""What goes with what, as plain calculations: arrays and values go in and come out. `app.db` reads and keeps them."""
