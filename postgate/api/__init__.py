"""HTTP: Flask begins and ends here."""
